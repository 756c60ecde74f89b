// What is asked of the simulated connections between packets, and changed there by scripts.
#include "ct_sim_impl.hpp"

#include <algorithm>
#include <cerrno>

namespace nfqws2::flow {

using packet::CtTcp;
using packet::CtTuple;
namespace proto = packet::proto;
namespace status = packet::ct_status;

packet::Connection CtSim::describe(CtRef connection) const {
    return impl_->describe(connection);
}

packet::Connection CtSim::Impl::describe(CtRef connection) {
    const CtEntry& e = *connection.entry;
    packet::Connection c;
    c.orig = orig_of(connection);
    c.reply = ct_reply_to(c.orig);
    c.id = e.id;
    c.mark = e.mark;
    c.status = e.status;
    const std::uint32_t now = now_s();
    c.timeout = e.expires_s > now ? e.expires_s - now : 0;
    if (c.orig.proto == proto::tcp) c.tcp_state = static_cast<CtTcp>(e.tcp_state);
    c.counted = true;
    c.orig_counter = {e.packets[0], e.bytes[0]};
    c.reply_counter = {e.packets[1], e.bytes[1]};
    if (const detail::CtExtra* extra = extra_of(e)) {
        c.master = extra->master;
        c.helper = extra->helper;
        c.master_helper = extra->master_helper;
        c.labels = extra->labels;
    }
    return c;
}

CtRef CtSim::find(const CtTuple& tuple) const {
    Impl& t = *impl_;
    const bool tcp = tuple.proto == proto::tcp;
    if (t.tracks != nullptr && (tcp || tuple.proto == proto::udp) &&
        tuple.src.version == tuple.dst.version) {
        const auto found = t.tracks->find(tcp, {tuple.src, tuple.sport}, {tuple.dst, tuple.dport});
        if (found)
            if (const CtRef c = find(*found.track)) return c;
    }
    // Nothing goes here: the packet on its way may be that of an entry whose time is over.
    Impl::Small* const found = t.small.size() == 0 ? nullptr : t.small.find(tuple);
    const bool there = found != nullptr && found->expires_s > t.now_s() && !found->removed;
    return {there ? found : nullptr, nullptr};
}

CtRef CtSim::find(const Track& track) const {
    CtEntry* const found = impl_->pages.find(track);
    return {found != nullptr && !found->removed ? found : nullptr, &track};
}

void CtSim::for_each(const std::function<void(CtRef)>& visit) const {
    Impl& t = *impl_;
    std::uint32_t cursor = 0;
    while (t.tracks != nullptr) {
        cursor = t.tracks->scan(cursor, 1024, [&](const Track& track) {
            if (const CtRef c = find(track)) visit(c);
        });
        if (cursor == 0) break;
    }
    for (Impl::Small& entry : t.small.all())
        if (entry.expires_s > t.now_s() && !entry.removed) visit({&entry, nullptr});
}

CtRef CtSim::create(const CtTuple& orig, packet::CtTcp tcp_state) {
    Impl& t = *impl_;
    Impl::Small* const old = t.small.size() == 0 ? nullptr : t.small.find(orig);
    // Nothing goes here either, so nothing may have to give way.
    if (find(orig) || (old == nullptr && t.small.size() >= detail::CtSmallTable::most)) return {};
    if (old != nullptr) t.begin_anew(*old, orig);
    Impl::Small& entry = old != nullptr ? *old : t.make_small(orig);
    t.name(entry, orig, ++t.small_number);
    entry.by_hand = true;
    entry.status = static_cast<std::uint16_t>(status::confirmed);
    if (orig.proto == proto::tcp && tcp_state != CtTcp::unknown)
        entry.tcp_state = static_cast<std::uint8_t>(tcp_state);
    t.refresh(entry, orig.proto);
    t.tell_memory();
    return {&entry, nullptr};
}

void CtSim::created(CtRef connection) {
    impl_->tell_new(connection);
}

void CtSim::remove(CtRef connection) {
    CtEntry& e = *connection.entry;
    if (e.removed) return;
    if (e.told) impl_->tell(CtEvent::ended, connection);
    e.removed = true;
}

void CtSim::reset_counters(CtRef connection) {
    CtEntry& e = *connection.entry;
    std::ranges::fill(e.packets, 0);
    std::ranges::fill(e.bytes, 0);
}

void CtSim::add_observer(CtObserver& observer) {
    impl_->observers.push_back(&observer);
}

void CtSim::remove_observer(const CtObserver& observer) {
    std::erase(impl_->observers, &observer);
}

void CtSim::set(CtRef connection, const packet::CtChanges& changes) {
    Impl& t = *impl_;
    CtEntry& e = *connection.entry;
    const std::uint32_t mark_before = e.mark;
    e.mark = changes.changed_mark(e.mark);
    if (changes.timeout) {
        const std::uint64_t end = std::uint64_t{t.now_s()} + *changes.timeout;
        e.expires_s = static_cast<std::uint32_t>(std::min<std::uint64_t>(end, UINT32_MAX));
    }
    if (changes.status) e.status |= static_cast<std::uint16_t>(*changes.status);
    if (changes.helper) {
        detail::CtExtra& extra = t.need_extra(e);
        extra.helper = *changes.helper;
    }
    if (changes.labels) {
        detail::CtExtra& extra = t.need_extra(e);
        std::array<std::uint8_t, 16> now = extra.labels.value_or(std::array<std::uint8_t, 16>{});
        for (std::size_t i = 0; i < now.size(); i++) {
            const unsigned mask = changes.labels_mask ? (*changes.labels_mask)[i] : 0xFF;
            now[i] = static_cast<std::uint8_t>((now[i] & ~mask) | ((*changes.labels)[i] & mask));
        }
        extra.labels = now;
    }
    if (e.mark != mark_before && e.told && !e.removed) t.tell(CtEvent::changed, connection);
    t.tell_memory();
}

int CtSim::expect(CtRef master, const packet::CtExpectation& expectation) {
    Impl& t = *impl_;
    const detail::CtExtra* extra = t.extra_of(*master.entry);
    if (extra == nullptr || extra->helper.empty()) return EOPNOTSUPP;
    detail::CtExpected e;
    e.wanted = expectation;
    e.master = t.orig_of(master);
    e.master_helper = extra->helper;
    e.mark = master.entry->mark;
    return t.expectations.add(e, t.clock.boot_s());
}

int CtSim::unexpect(const CtTuple& tuple) {
    return impl_->expectations.remove(tuple, impl_->clock.boot_s());
}

} // namespace nfqws2::flow
