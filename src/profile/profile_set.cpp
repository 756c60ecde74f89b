#include "nfqws2/profile/profile_set.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/packet/proto_name.hpp"
#include "nfqws2/profile/filter_table.hpp"
#include "nfqws2/profile/list_store.hpp"

#include <algorithm>

namespace nfqws2::profile {

namespace {

// What one test of a profile found besides yes or no. Text is gathered only for --trace.
struct Refusal {
    const char* by = nullptr;
    const HostList* hosts = nullptr;
    const NetList* nets = nullptr;
    const IpAddress* address = nullptr; // the one inside the exclude set
};

int length(std::string_view text) {
    return static_cast<int>(text.size());
}

void log_search(const Query& q) {
    std::string addresses = "ip=" + q.address.text();
    if (q.second != nullptr) addresses = "ip1=" + q.address.text() + " ip2=" + q.second->text();
    const std::string_view l7 = protocol::name(q.l7);
    log::debug("desync profile search for %s %s port=%u icmp=%u:%u l7proto=%.*s ssid='%.*s' "
               "mark=0x%08X hostname='%.*s'",
               packet::proto_name(q.l4proto).c_str(), addresses.c_str(), q.port, q.icmp_type,
               q.icmp_code, length(l7), l7.data(), length(q.ssid), q.ssid.data(), q.mark,
               length(q.hostname), q.hostname.data());
}

void log_check(std::string_view list, const char* kind, std::string_view what, bool found) {
    log::debug("[%.*s] %s check for %.*s : %s", length(list), list.data(), kind, length(what),
               what.data(), found ? "positive" : "negative");
}

const HostList* find_host(const HostCollection& lists, const char* kind, const HostName& host) {
    if (!log::debug_enabled()) return lists.find(host);
    for (const auto& list : lists.lists()) {
        const bool found = list->contains(host);
        log_check(label(*list), kind, host.text(), found);
        if (found) return list.get();
    }
    return nullptr;
}

// The list that holds one of the query's addresses; *which gets that address.
const NetList* find_net(const NetCollection& lists, const char* kind, const Query& q,
                        const IpAddress** which) {
    for (const auto& list : lists.lists()) {
        for (const IpAddress* address : {&q.address, q.second}) {
            if (address == nullptr) continue;
            const bool found = list->contains(*address);
            if (log::debug_enabled()) log_check(label(*list), kind, address->text(), found);
            if (!found) continue;
            *which = address;
            return list.get();
        }
    }
    return nullptr;
}

// See docs/contracts/lists.md#host-lists.
flow::ListVerdict judge_host(const Profile& p, const HostName& host, const HostList** excluded_by) {
    if (log::debug_enabled()) log::debug("* hostlist check for profile %s", p.label().c_str());
    *excluded_by = find_host(p.hosts_exclude, "exclude hostlist", host);
    if (*excluded_by != nullptr) return {true, false, true};
    if (p.hosts.empty()) return {true, true, false};
    return {true, find_host(p.hosts, "include hostlist", host) != nullptr, false};
}

// See docs/contracts/lists.md#ip-sets.
bool passes_nets(const Profile& p, const Query& q, Refusal& refusal) {
    if (!p.nets.any_list() && !p.nets_exclude.any_list()) return true;
    if (log::debug_enabled()) log::debug("* ipset check for profile %s", p.label().c_str());
    const IpAddress* which = nullptr;
    if (const NetList* list = find_net(p.nets_exclude, "exclude ipset", q, &which)) {
        refusal = {"ipset-exclude", nullptr, list, which};
        return false;
    }
    if (p.nets.empty()) return true;
    if (find_net(p.nets, "include ipset", q, &which) != nullptr) return true;
    refusal.by = "ipset";
    return false;
}

bool passes_lists(const Profile& p, const Query& q, const HostName& host,
                  flow::ListVerdict& verdict, Refusal& refusal) {
    if (!p.auto_hosts && !q.has_hostname && p.has_host_lists()) {
        refusal.by = p.hosts.empty() ? "hostlist-exclude" : "hostlist";
        return false;
    }
    if (!passes_nets(p, q, refusal)) return false;
    if (p.auto_hosts ? q.has_hostname : !p.has_host_lists()) return true;
    if (!q.has_hostname) { // an automatic list decides when the name is known
        refusal.by = "hostlist-auto";
        return false;
    }
    verdict = judge_host(p, host, &refusal.hosts);
    if (log::debug_enabled())
        log::debug("hostlist check for %.*s : %s", length(q.hostname), q.hostname.data(),
                   verdict.positive ? "positive" : "negative");
    if (!verdict.positive) refusal.by = verdict.excluded ? "hostlist-exclude" : "hostlist";
    return verdict.positive;
}

// See docs/contracts/profiles.md#matching; cheap filters first. The order cannot be told apart from
// outside except by the name of the refusing filter.
bool matches(const Profile& p, const Query& q, const HostName& host, flow::ListVerdict& verdict,
             Refusal& refusal) {
    const std::uint8_t carried = transport::of(q.l4proto);
    refusal.by = refused_by_row<false>(p, q, carried);
    if (refusal.by != nullptr || !passes_lists(p, q, host, verdict, refusal)) return false;
    refusal.by = refused_by_row<true>(p, q, carried);
    return refusal.by == nullptr;
}

Rejection make_rejection(const Profile& p, const HostName& host, const Refusal& refusal) {
    Rejection rejection{p.number, refusal.by, {}, {}};
    if (refusal.hosts != nullptr) {
        rejection.list = label(*refusal.hosts);
        rejection.entry = refusal.hosts->matching_entry(host);
    } else if (refusal.nets != nullptr) {
        rejection.list = label(*refusal.nets);
        rejection.entry = refusal.nets->matching_entry(*refusal.address);
    }
    return rejection;
}

} // namespace

struct ProfileSet::Impl {
    Impl(GenerationPtr newest, ListStore& store, unsigned n)
        : generations{std::move(newest)}, in_force(generations.back().get()), lists(store),
          worker(n) {}

    const std::vector<std::unique_ptr<Profile>>& profiles() const { return in_force->profiles; }
    void settle() { in_force = generations.back().get(); }

    std::vector<GenerationPtr> generations; // the newest last
    const Generation* in_force;
    ListStore& lists;
    unsigned worker;
};

ProfileSet::ProfileSet(std::vector<std::unique_ptr<Profile>> profiles, ListStore& lists, Clock&)
    : impl_(std::make_unique<Impl>(make_generation(std::move(profiles)), lists, 0)) {
}

ProfileSet::ProfileSet(const ProfileSet& first, unsigned worker)
    : impl_(std::make_unique<Impl>(first.generation(), first.impl_->lists, worker)) {
}

ProfileSet::~ProfileSet() = default;

Selection ProfileSet::select(const Query& query, std::vector<Rejection>* rejected) const {
    impl_->lists.poll();
    if (log::debug_enabled()) log_search(query);
    const HostName host(query.hostname, query.hostname_is_ip);
    const auto lock = impl_->lists.contents().reading(impl_->worker);
    for (const auto& profile : impl_->profiles()) {
        flow::ListVerdict verdict;
        Refusal refusal;
        if (matches(*profile, query, host, verdict, refusal)) {
            if (log::debug_enabled())
                log::debug("desync profile %s matches", profile->label().c_str());
            return {profile.get(), verdict};
        }
        if (rejected != nullptr) rejected->push_back(make_rejection(*profile, host, refusal));
    }
    return {impl_->profiles().back().get(), {}};
}

flow::ListVerdict ProfileSet::check_hosts(const Profile& profile, std::string_view host,
                                          bool is_ip) const {
    impl_->lists.poll();
    const auto lock = impl_->lists.contents().reading(impl_->worker);
    const HostList* excluded_by = nullptr;
    return judge_host(profile, HostName(host, is_ip), &excluded_by);
}

bool ProfileSet::has_host_lists(const Profile& profile) const {
    const auto lock = impl_->lists.contents().reading(impl_->worker);
    return profile.has_host_lists();
}

const Profile& ProfileSet::by_number(std::uint32_t number) const {
    const auto& all = impl_->profiles();
    if (number > 0 && number < all.size() && all[number - 1]->number == number)
        return *all[number - 1];
    return *all.back();
}

const std::vector<std::unique_ptr<Profile>>& ProfileSet::all() const {
    return impl_->profiles();
}

bool ProfileSet::needs_ssid() const {
    return std::any_of(all().begin(), all().end(),
                       [](const auto& profile) { return !profile->ssids.empty(); });
}

bool ProfileSet::needs_ct() const {
    return std::any_of(all().begin(), all().end(),
                       [](const auto& profile) { return profile->ct.any(); });
}

bool ProfileSet::needs_ct_details() const {
    return std::any_of(all().begin(), all().end(),
                       [](const auto& profile) { return profile->ct.any_detail(); });
}

const GenerationPtr& ProfileSet::generation() const {
    return impl_->generations.back();
}

void ProfileSet::replace(GenerationPtr next) {
    impl_->generations.push_back(std::move(next));
    impl_->settle();
}

void ProfileSet::take_back() {
    if (!has_older()) return;
    impl_->generations.pop_back();
    impl_->settle();
}

bool ProfileSet::has_older() const {
    return impl_->generations.size() > 1;
}

void ProfileSet::drop_older() {
    impl_->generations.erase(impl_->generations.begin(), impl_->generations.end() - 1);
}

const Profile* ProfileSet::in_force(std::uint32_t id) const {
    return impl_->in_force->has(id) ? &impl_->in_force->by_id(id) : nullptr;
}

const Profile* ProfileSet::known(std::uint32_t id) const {
    for (const GenerationPtr& generation : impl_->generations)
        if (generation->has(id)) return &generation->by_id(id);
    return nullptr;
}

ProfileSet::Older::Older(ProfileSet& profiles, std::uint32_t id) : profiles_(profiles) {
    for (const GenerationPtr& generation : profiles.impl_->generations)
        if (generation->has(id)) profiles.impl_->in_force = generation.get();
}

ProfileSet::Older::~Older() {
    profiles_.impl_->settle();
}

} // namespace nfqws2::profile
