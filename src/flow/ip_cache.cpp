// Theory of operation. Records are found by a keyed hash over address and interface, and stand in a
// list in order of their last touch, so that both the expired and the surplus ones are at its
// front. A record that was touched in this second already stays where it is. Only writing touches.
//
// A shared cache consists of parts with a mutex each, chosen by address, so that two threads seldom
// want the same. Expired records of a part go when it is used.
#include "nfqws2/flow/ip_cache.hpp"

#include "nfqws2/base/linear_hash.hpp"
#include "nfqws2/base/siphash.hpp"
#include "nfqws2/base/text.hpp"
#include "slab_pool.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

namespace nfqws2::flow {

namespace {

constexpr std::uint32_t none = SlabPool::no_index;
constexpr std::size_t max_name = 255;
constexpr unsigned records_per_purge = 64;
constexpr std::size_t shared_parts = 16;

using Interface = std::array<char, 16>; // IFNAMSIZ; longer names do not exist

struct Node {
    std::uint32_t hash = 0, chain = 0;
    std::uint32_t older = none, newer = none;
    std::int64_t touched_s = 0;
    IpAddress address;
    Interface interface {};
    IpCacheRecord record;
};

Interface interface_of(std::string_view name) {
    Interface text{};
    std::copy_n(name.begin(), std::min(name.size(), text.size() - 1), text.begin());
    return text;
}

struct NodeAt {
    const SlabPool* pool;
    Node& operator()(std::uint32_t index) const { return *static_cast<Node*>(pool->at(index)); }
    void prefetch(std::uint32_t index) const { __builtin_prefetch(pool->at(index)); }
};

} // namespace

// The records of a share of all addresses.
class IpCache::Part {
  public:
    Part() = default;
    ~Part() {
        while (oldest_ != none)
            remove(oldest_);
    }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    void configure(std::uint32_t lifetime_s, Clock& clock, std::size_t max_records) {
        lifetime_s_ = lifetime_s;
        clock_ = &clock;
        max_records_ = max_records;
    }

    // The lock of a shared cache; the functions below want it.
    std::unique_lock<std::mutex> lock(Use use) {
        return use == Use::shared ? std::unique_lock(mutex_) : std::unique_lock<std::mutex>();
    }
    const IpCacheRecord* find(const IpAddress& address, const Interface& interface) const;
    // The record, made if need be; nullptr when memory is short.
    IpCacheRecord* touch(const IpAddress& address, const Interface& interface);
    void purge();
    std::size_t size() const { return table_.size(); }
    void dump(std::uint8_t version, const std::function<void(const std::string&)>& line) const;

  private:
    Node& at(std::uint32_t index) const { return NodeAt{&pool_}(index); }
    std::uint32_t hash_of(const IpAddress& address, const Interface& interface) const;
    std::uint32_t index_of(const IpAddress& address, const Interface& interface) const;
    void remove(std::uint32_t index);
    void unlink(std::uint32_t index);
    void append(std::uint32_t index);

    std::mutex mutex_;
    std::uint32_t lifetime_s_ = 0;
    Clock* clock_ = nullptr;
    std::size_t max_records_ = 0; // 0 = no limit
    SipKey key_ = SipKey::random();
    SlabPool pool_{sizeof(Node)};
    LinearHash<NodeAt> table_{NodeAt{&pool_}};
    std::uint32_t oldest_ = none, newest_ = none;
};

std::uint32_t IpCache::Part::hash_of(const IpAddress& address, const Interface& interface) const {
    std::array<std::uint8_t, 33> text{};
    std::memcpy(text.data(), address.raw.data(), 16);
    std::memcpy(text.data() + 16, interface.data(), 16);
    text[32] = address.version;
    return table_hash(key_, text);
}

std::uint32_t IpCache::Part::index_of(const IpAddress& address, const Interface& interface) const {
    return table_.find(hash_of(address, interface), [&](std::uint32_t index) {
        const Node& node = at(index);
        return node.address == address && node.interface == interface;
    });
}

const IpCacheRecord* IpCache::Part::find(const IpAddress& address,
                                         const Interface& interface) const {
    const std::uint32_t index = index_of(address, interface);
    return index == LinearHash<NodeAt>::not_found ? nullptr : &at(index).record;
}

void IpCache::Part::unlink(std::uint32_t index) {
    Node& node = at(index);
    (node.older == none ? oldest_ : at(node.older).newer) = node.newer;
    (node.newer == none ? newest_ : at(node.newer).older) = node.older;
}

void IpCache::Part::append(std::uint32_t index) {
    Node& node = at(index);
    node.older = newest_;
    node.newer = none;
    (newest_ == none ? oldest_ : at(newest_).newer) = index;
    newest_ = index;
}

void IpCache::Part::remove(std::uint32_t index) {
    table_.erase(index);
    unlink(index);
    Node& node = at(index);
    node.~Node();
    SlabPool::release(&node);
}

IpCacheRecord* IpCache::Part::touch(const IpAddress& address, const Interface& interface) {
    const std::int64_t now_s = clock_->boot_s();
    std::uint32_t index = index_of(address, interface);
    if (index == LinearHash<NodeAt>::not_found) {
        if (max_records_ != 0 && table_.size() >= max_records_) remove(oldest_);
        void* memory = pool_.allocate();
        if (memory == nullptr) return nullptr;
        Node& node = *::new (memory) Node();
        node.hash = hash_of(address, interface);
        node.address = address;
        node.interface = interface;
        node.touched_s = now_s;
        index = SlabPool::index_of(&node);
        table_.insert(index);
        append(index);
        return &node.record;
    }
    Node& node = at(index);
    if (node.touched_s != now_s) {
        node.touched_s = now_s;
        unlink(index);
        append(index);
    }
    return &node.record;
}

void IpCache::Part::purge() {
    if (lifetime_s_ == 0 || oldest_ == none) return;
    const std::int64_t now_s = clock_->boot_s();
    for (unsigned i = 0; i < records_per_purge && oldest_ != none; i++) {
        if (now_s < at(oldest_).touched_s + lifetime_s_) return;
        remove(oldest_);
    }
}

void IpCache::Part::dump(std::uint8_t version,
                         const std::function<void(const std::string&)>& line) const {
    const std::int64_t now_s = clock_->boot_s();
    for (std::uint32_t i = oldest_; i != none; i = at(i).newer) {
        const Node& node = at(i);
        if (node.address.version != version) continue;
        line(format("%s iface=%s : ttl %u hostname=%s hostname_is_ip=%d now=last+%lld",
                    node.address.text().c_str(), node.interface.data(), unsigned{node.record.ttl},
                    printable(node.record.hostname).c_str(), node.record.hostname_is_ip,
                    static_cast<long long>(now_s - node.touched_s)));
    }
}

IpCache::IpCache(std::uint32_t lifetime_s, Clock& clock, std::size_t max_records, Use use)
    : use_(use), count_(use == Use::shared ? shared_parts : 1),
      parts_(std::make_unique<Part[]>(count_)) {
    const std::size_t each = (max_records + count_ - 1) / count_;
    for (std::size_t i = 0; i < count_; i++)
        parts_[i].configure(lifetime_s, clock, each);
}
IpCache::~IpCache() = default;

// Neighbouring addresses go to different parts. Whoever aims at one part only makes it busy.
IpCache::Part& IpCache::part_of(const IpAddress& address) const {
    if (count_ == 1) return parts_[0];
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < address.raw.size(); i += 4)
        sum += load_be32(address.raw.data() + i);
    return parts_[(sum * 0x9E3779B1U >> 16) % count_];
}

bool IpCache::find(const IpAddress& address, std::string_view interface,
                   IpCacheRecord& found) const {
    Part& part = part_of(address);
    const auto lock = part.lock(use_);
    if (use_ == Use::shared) part.purge();
    const IpCacheRecord* record = part.find(address, interface_of(interface));
    if (record != nullptr) found = *record;
    return record != nullptr;
}

bool IpCache::set_ttl(const IpAddress& address, std::string_view interface, std::uint8_t ttl) {
    Part& part = part_of(address);
    const auto lock = part.lock(use_);
    if (use_ == Use::shared) part.purge();
    IpCacheRecord* record = part.touch(address, interface_of(interface));
    if (record == nullptr || record->ttl == ttl) return false;
    record->ttl = ttl;
    return true;
}

bool IpCache::set_hostname(const IpAddress& address, std::string_view name, bool is_ip) {
    Part& part = part_of(address);
    const auto lock = part.lock(use_);
    if (use_ == Use::shared) part.purge();
    IpCacheRecord* record = part.touch(address, {});
    if (record == nullptr) return false;
    name = name.substr(0, max_name);
    if (record->has_hostname && record->hostname == name) return false;
    record->hostname = name;
    record->has_hostname = true;
    record->hostname_is_ip = is_ip;
    return true;
}

std::uint8_t IpCache::count_held_retransmission(const IpAddress& address) {
    Part& part = part_of(address);
    const auto lock = part.lock(use_);
    if (use_ == Use::shared) part.purge();
    IpCacheRecord* record = part.touch(address, {});
    if (record == nullptr) return 0;
    if (record->held_retransmissions != UINT8_MAX) record->held_retransmissions++;
    return record->held_retransmissions;
}

void IpCache::purge() {
    if (use_ == Use::one_thread) parts_[0].purge();
}

std::size_t IpCache::size() const {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < count_; i++) {
        const auto lock = parts_[i].lock(use_);
        sum += parts_[i].size();
    }
    return sum;
}

void IpCache::dump(const std::function<void(const std::string&)>& line) const {
    for (const std::uint8_t version : {std::uint8_t{4}, std::uint8_t{6}}) {
        for (std::size_t i = 0; i < count_; i++) {
            const auto lock = parts_[i].lock(use_);
            parts_[i].dump(version, line);
        }
    }
}

} // namespace nfqws2::flow
