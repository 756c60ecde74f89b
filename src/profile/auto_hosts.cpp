// Theory of operation.
//
// Each profile has a pool of hosts that failed lately: a counter and the time when it is forgotten,
// which is a fixed time after the first failure. So the records of a pool expire in the order in
// which they were made, and expiry looks at the oldest only. A success removes the record; the
// threshold removes it too and adds the host to the list file, if the lists still do not know it.
// A pool is bounded, because names come from the network: the oldest record gives way. For the same
// reason additions are bounded, in number (--hostlist-auto-max) and by the second; what was added
// stays, since the file may hold a user's own lines.
#include "nfqws2/profile/auto_hosts.hpp"

#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/base/output_file.hpp"
#include "nfqws2/base/siphash.hpp"
#include "nfqws2/base/text.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <limits>
#include <list>
#include <mutex>
#include <unordered_map>

namespace nfqws2::profile {

namespace {

constexpr std::size_t max_records = 10'000; // per profile
constexpr unsigned max_added_per_second = 20;
constexpr unsigned hour_ms = 3'600'000;
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

struct Record {
    std::string host;
    unsigned counter;
    std::int64_t expires_ns;
};

struct NameHash {
    std::size_t operator()(std::string_view name) const {
        return static_cast<std::size_t>(siphash128(SipKey::of_process(), as_bytes(name)).first);
    }
};

// The failed hosts of one profile, oldest first.
class Pool {
  public:
    Record* find(std::string_view host) {
        const auto found = index_.find(host);
        return found == index_.end() ? nullptr : &*found->second;
    }
    Record& add(std::string_view host, std::int64_t expires_ns) {
        if (records_.size() >= max_records) erase(records_.front().host);
        records_.push_back({std::string(host), 0, expires_ns});
        index_[records_.back().host] = std::prev(records_.end());
        return records_.back();
    }
    void erase(std::string_view host) {
        const auto found = index_.find(host);
        if (found == index_.end()) return;
        const auto record = found->second;
        index_.erase(found); // its key is the record's text
        records_.erase(record);
    }
    void purge(std::int64_t now_ns) {
        while (!records_.empty() && now_ns >= records_.front().expires_ns)
            erase(records_.front().host);
    }
    const std::list<Record>& records() const { return records_; }

  private:
    std::list<Record> records_;
    std::unordered_map<std::string_view, std::list<Record>::iterator, NameHash> index_;
};

std::string local_time(std::int64_t unix_s) {
    const auto seconds = static_cast<std::time_t>(unix_s);
    std::tm parts{};
    localtime_r(&seconds, &parts);
    return format("%02d.%02d.%04d %02d:%02d:%02d", parts.tm_mday, parts.tm_mon + 1,
                  parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string endpoint_text(const flow::Endpoint& endpoint) {
    const std::string address = endpoint.address.text();
    const std::string port = std::to_string(endpoint.port);
    return endpoint.address.version == 6 ? "[" + address + "]:" + port : address + ":" + port;
}

} // namespace

struct AutoHosts::Impl {
    Impl(const ProfileSet& p, ListStore& l, Clock& c) : profiles(p), lists(l), clock(c) {}

    const ProfileSet& profiles;
    ListStore& lists;
    Clock& clock;
    std::string log_path;
    std::unordered_map<const Profile*, Pool> pools;
    bool shared = false;
    std::mutex mutex; // of the pools and their files
    // Looked at for every packet, so without the mutex; `never` while there are no records.
    std::atomic<std::int64_t> next_purge_ns{never};

    std::unique_lock<std::mutex> lock() {
        return shared ? std::unique_lock(mutex) : std::unique_lock<std::mutex>();
    }
    // Additions within the second that began then.
    std::int64_t second_began_ns = 0;
    unsigned added_in_second = 0;
    log::RateLimit full_is_said{hour_ms};

    void record(const Event& event, const std::string& text) const;
    void add_host(const Event& event);
    bool too_fast();
};

AutoHosts::AutoHosts(const ProfileSet& profiles, ListStore& lists, Clock& clock)
    : impl_(std::make_unique<Impl>(profiles, lists, clock)) {
}

AutoHosts::~AutoHosts() = default;

void AutoHosts::share() {
    impl_->shared = true;
}

bool AutoHosts::set_debug_log(const std::string& path) {
    if (!reopen_output_file(path, O_WRONLY | O_CREAT | O_APPEND)) return false;
    impl_->log_path = path;
    return true;
}

// One line of the debug log. The file is opened for each, so that it may be moved away or deleted.
void AutoHosts::Impl::record(const Event& event, const std::string& text) const {
    if (log::debug_enabled())
        log::debug("auto hostlist (profile %s) : %s : %s", event.profile->label().c_str(),
                   printable(event.host).c_str(), text.c_str());
    if (log_path.empty()) return;
    const FileDescriptor fd = reopen_output_file(log_path, O_WRONLY | O_CREAT | O_APPEND);
    const std::string line = local_time(clock.unix_s()) + " : " + printable(event.host) +
                             " : profile " + event.profile->label() + " : client " +
                             endpoint_text(event.client) + " : proto " + std::string(event.l7) +
                             " : " + text + "\n";
    if (!fd || write(fd.get(), line.data(), line.size()) < 0) {
        static log::RateLimit limit(60'000);
        if (limit.allow()) log::os_error(log_path, errno);
    }
}

void AutoHosts::failure(const Event& event) {
    const auto lock = impl_->lock();
    if (!event.reason.empty()) impl_->record(event, event.reason);
    const AutoHostOptions& options = event.profile->auto_options;
    const std::int64_t now = impl_->clock.boot_ns();
    Pool& pool = impl_->pools[event.profile];
    pool.purge(now);
    Record* record = pool.find(event.host);
    if (record == nullptr) record = &pool.add(event.host, now + options.fail_time * second_ns);
    if (impl_->next_purge_ns == never) impl_->next_purge_ns = now;
    ++record->counter;
    impl_->record(event, format("fail counter %u/%u", record->counter, options.fail_threshold));
    if (record->counter < options.fail_threshold) return;
    pool.erase(event.host);
    impl_->add_host(event);
}

// The lists are asked again: another flow or another program may have added the host meanwhile.
void AutoHosts::Impl::add_host(const Event& event) {
    HostList* list = event.profile->auto_hosts.get();
    if (list == nullptr) return;
    const flow::ListVerdict verdict =
        profiles.check_hosts(*event.profile, event.host, event.host_is_ip);
    if (verdict.positive || verdict.excluded) {
        record(event, "NOT adding, duplicate detected");
        return;
    }
    if (!is_safe_entry(event.host)) {
        record(event, "NOT adding, not a host name");
        return;
    }
    const std::uint32_t max = event.profile->auto_options.max;
    if (max != 0 && lists.entries(*list) >= max) {
        record(event, format("NOT adding, the list has %u entries (--hostlist-auto-max)", max));
        if (full_is_said.allow())
            log::error("automatic list '%s' has %u entries: nothing is added to it "
                       "(--hostlist-auto-max)",
                       list->file().c_str(), max);
        return;
    }
    if (too_fast()) {
        record(event, "NOT adding, too many hosts within a second");
        return;
    }
    record(event, "adding to " + list->file());
    lists.append_host(*list, event.host);
}

bool AutoHosts::Impl::too_fast() {
    const std::int64_t now = clock.boot_ns();
    if (now - second_began_ns >= second_ns) {
        second_began_ns = now;
        added_in_second = 0;
    }
    return ++added_in_second > max_added_per_second;
}

void AutoHosts::success(const Event& event) {
    const auto lock = impl_->lock();
    const auto pool = impl_->pools.find(event.profile);
    if (pool == impl_->pools.end()) return;
    pool->second.purge(impl_->clock.boot_ns());
    if (pool->second.find(event.host) == nullptr) return;
    pool->second.erase(event.host);
    impl_->record(event, "fail counter reset. website is working.");
}

void AutoHosts::carry_over(const Generation& from, const Generation& to) {
    const auto lock = impl_->lock();
    for (const auto& profile : to.profiles) {
        const std::uint32_t id = from.first_id + profile->number;
        if (profile->auto_hosts == nullptr || !from.has(id)) continue;
        const Profile& before = from.by_id(id);
        if (before.auto_hosts != profile->auto_hosts) continue;
        if (auto pool = impl_->pools.extract(&before)) {
            impl_->pools.erase(profile.get());
            pool.key() = profile.get();
            impl_->pools.insert(std::move(pool));
        }
    }
}

void AutoHosts::forget(const Generation& gone) {
    const auto lock = impl_->lock();
    for (const auto& profile : gone.profiles)
        impl_->pools.erase(profile.get());
}

void AutoHosts::purge() {
    const std::int64_t due = impl_->next_purge_ns.load(std::memory_order_relaxed);
    if (due == never) return;
    const std::int64_t now = impl_->clock.boot_ns();
    if (now < due) return;
    const auto lock = impl_->lock();
    bool any = false;
    for (auto& [profile, pool] : impl_->pools) {
        pool.purge(now);
        any = any || !pool.records().empty();
    }
    impl_->next_purge_ns = any ? now + second_ns : never;
}

void AutoHosts::dump(const std::function<void(const std::string&)>& line) const {
    const auto lock = impl_->lock();
    const std::int64_t now = impl_->clock.boot_ns();
    for (const auto& profile : impl_->profiles.all()) {
        line("");
        line("DESYNC profile " + profile->label());
        const auto pool = impl_->pools.find(profile.get());
        if (pool == impl_->pools.end()) continue;
        for (const Record& record : pool->second.records())
            line(format("host=%s counter=%u time_left=%lld", printable(record.host).c_str(),
                        record.counter,
                        static_cast<long long>((record.expires_ns - now) / second_ns)));
    }
}

} // namespace nfqws2::profile
