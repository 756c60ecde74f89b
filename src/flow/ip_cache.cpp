// Theory of operation. Records are found by a keyed hash over address and interface, and stand in a
// list in order of their last touch, so that both the expired and the surplus ones are at its
// front. A record that was touched in this second already stays where it is. Only writing touches.
#include "nfqws2/flow/ip_cache.hpp"

#include "nfqws2/base/text.hpp"
#include "nfqws2/flow/linear_hash.hpp"
#include "nfqws2/flow/siphash.hpp"
#include "nfqws2/flow/slab_pool.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace nfqws2::flow {

namespace {

constexpr std::uint32_t none = SlabPool::no_index;
constexpr std::size_t max_name = 255;
constexpr unsigned purge_budget = 64; // records per call

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

std::string printable(std::string_view name) {
    std::string text(name);
    for (char& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
    return text;
}

} // namespace

struct IpCache::Impl {
    Impl(std::uint32_t lifetime, Clock& c, std::size_t max)
        : lifetime_s(lifetime), clock(c), max_records(max), table(NodeAt{&pool}) {}
    ~Impl() {
        while (oldest != none)
            remove(oldest);
    }

    Node& at(std::uint32_t index) const { return NodeAt{&pool}(index); }

    std::uint32_t hash_of(const IpAddress& address, const Interface& interface) const {
        std::array<std::uint8_t, 33> text{};
        std::memcpy(text.data(), address.raw.data(), 16);
        std::memcpy(text.data() + 16, interface.data(), 16);
        text[32] = address.version;
        return table_hash(key, text);
    }
    std::uint32_t find(const IpAddress& address, const Interface& interface) const {
        return table.find(hash_of(address, interface), [&](std::uint32_t index) {
            const Node& node = at(index);
            return node.address == address && node.interface == interface;
        });
    }

    IpCacheRecord* touch(const IpAddress& address, const Interface& interface);
    void remove(std::uint32_t index);
    void unlink(std::uint32_t index);
    void append(std::uint32_t index);

    std::uint32_t lifetime_s;
    Clock& clock;
    std::size_t max_records; // 0 = no limit
    SipKey key = SipKey::random();
    SlabPool pool{sizeof(Node)};
    LinearHash<NodeAt> table;
    std::uint32_t oldest = none, newest = none;
};

void IpCache::Impl::unlink(std::uint32_t index) {
    Node& node = at(index);
    (node.older == none ? oldest : at(node.older).newer) = node.newer;
    (node.newer == none ? newest : at(node.newer).older) = node.older;
}

void IpCache::Impl::append(std::uint32_t index) {
    Node& node = at(index);
    node.older = newest;
    node.newer = none;
    (newest == none ? oldest : at(newest).newer) = index;
    newest = index;
}

void IpCache::Impl::remove(std::uint32_t index) {
    table.erase(index);
    unlink(index);
    Node& node = at(index);
    node.~Node();
    SlabPool::release(&node);
}

// The record, made if need be; nullptr when memory is short.
IpCacheRecord* IpCache::Impl::touch(const IpAddress& address, const Interface& interface) {
    const std::int64_t now_s = clock.boot_s();
    std::uint32_t index = find(address, interface);
    if (index == LinearHash<NodeAt>::not_found) {
        if (max_records != 0 && table.size() >= max_records) remove(oldest);
        void* memory = pool.allocate();
        if (memory == nullptr) return nullptr;
        Node& node = *::new (memory) Node();
        node.hash = hash_of(address, interface);
        node.address = address;
        node.interface = interface;
        node.touched_s = now_s;
        index = SlabPool::index_of(&node);
        table.insert(index);
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

IpCache::IpCache(std::uint32_t lifetime_s, Clock& clock, std::size_t max_records)
    : impl_(std::make_unique<Impl>(lifetime_s, clock, max_records)) {
}
IpCache::~IpCache() = default;

const IpCacheRecord* IpCache::find(const IpAddress& address, std::string_view interface) const {
    const std::uint32_t index = impl_->find(address, interface_of(interface));
    return index == LinearHash<NodeAt>::not_found ? nullptr : &impl_->at(index).record;
}

bool IpCache::set_ttl(const IpAddress& address, std::string_view interface, std::uint8_t ttl) {
    IpCacheRecord* record = impl_->touch(address, interface_of(interface));
    if (record == nullptr || record->ttl == ttl) return false;
    record->ttl = ttl;
    return true;
}

bool IpCache::set_hostname(const IpAddress& address, std::string_view name, bool is_ip) {
    IpCacheRecord* record = impl_->touch(address, {});
    if (record == nullptr) return false;
    name = name.substr(0, max_name);
    if (record->has_hostname && record->hostname == name) return false;
    record->hostname = name;
    record->has_hostname = true;
    record->hostname_is_ip = is_ip;
    return true;
}

void IpCache::purge() {
    Impl& c = *impl_;
    if (c.lifetime_s == 0 || c.oldest == none) return;
    const std::int64_t now_s = c.clock.boot_s();
    for (unsigned i = 0; i < purge_budget && c.oldest != none; i++) {
        if (now_s < c.at(c.oldest).touched_s + c.lifetime_s) return;
        c.remove(c.oldest);
    }
}

std::size_t IpCache::size() const {
    return impl_->table.size();
}

void IpCache::dump(const std::function<void(const std::string&)>& line) const {
    const Impl& c = *impl_;
    const std::int64_t now_s = c.clock.boot_s();
    for (const std::uint8_t version : {std::uint8_t{4}, std::uint8_t{6}}) {
        for (std::uint32_t i = c.oldest; i != none; i = c.at(i).newer) {
            const Node& node = c.at(i);
            if (node.address.version != version) continue;
            line(format("%s iface=%s : ttl %u hostname=%s hostname_is_ip=%d now=last+%lld",
                        node.address.text().c_str(), node.interface.data(),
                        unsigned{node.record.ttl}, printable(node.record.hostname).c_str(),
                        node.record.hostname_is_ip,
                        static_cast<long long>(now_s - node.touched_s)));
        }
    }
}

} // namespace nfqws2::flow
