// Theory of operation. A connection begins with the first packet that may begin one and is there at
// once, so that scripts see it with that packet. It is unconfirmed until a second packet comes or
// the program sends one of its packets itself; if the verdict on the first packet is to drop it,
// the connection is forgotten, as the kernel forgets what never left the last hook.
//
// A flow's connection lives as long as its track (the time-outs told here are facts for scripts, no
// clockwork); what has no track - other protocols, echo, TCP whose beginning was not seen - is in a
// small table and ends by its own time-out. The first packet need not be the one that made the
// track: the answer to a SYN that was not seen makes a track, yet begins no connection.
//
// What few connections have (master, helper, lines of FTP) is a CtExtra. Sequence windows and
// checksums are not looked at, so nothing here is exact.
#include "ct_sim_impl.hpp"

#include "ct_tcp.hpp"
#include "ct_tuple.hpp"

#include <algorithm>

namespace nfqws2::flow {

namespace {

using detail::CtExtra;
using detail::is_echo_answer;
using detail::is_echo_request;
using packet::CtDirection;
using packet::CtState;
using packet::CtTcp;
using packet::CtTuple;
namespace proto = packet::proto;
namespace flag = packet::tcp_flag;
namespace status = packet::ct_status;

constexpr unsigned most_announced = 4; // data connections by one packet

constexpr std::uint32_t udp_timeout = 30, udp_stream_timeout = 120, icmp_timeout = 30,
                        other_timeout = 600;
constexpr std::uint32_t udp_stream_after_ms = 2000;
constexpr const char* ftp_name = "ftp";

// Neighbour discovery and multicast listeners, which Linux does not track.
bool is_untracked(const packet::Dissect& d) {
    if (d.l4 != packet::L4::icmp || d.l4proto != proto::icmpv6) return false;
    const std::uint8_t type = d.icmp_type();
    return (type >= 130 && type <= 137) || type == 143;
}
// A SYN of the ports of a connection that has ended.
bool begins_anew(const packet::Dissect& d, const CtEntry& e) {
    const auto state = static_cast<CtTcp>(e.tcp_state);
    return d.l4 == packet::L4::tcp && (state == CtTcp::close || state == CtTcp::time_wait) &&
           (d.tcp_flags() & (flag::syn | flag::ack | flag::fin | flag::rst)) == flag::syn;
}

} // namespace

CtTuple CtSim::Impl::orig_of(CtRef c) const {
    if (c.track == nullptr) return static_cast<const Small*>(c.entry)->orig;
    CtTuple t;
    t.proto = c.track->is_tcp() ? proto::tcp : proto::udp;
    const Endpoint client = c.track->client(), server = c.track->server();
    t.src = client.address;
    t.sport = client.port;
    t.dst = server.address;
    t.dport = server.port;
    return c.entry->by_server ? ct_reply_to(t) : t;
}

CtExtra& CtSim::Impl::need_extra(CtEntry& e) {
    if (e.extra == 0) {
        if (free_extras.empty()) {
            extras.emplace_back();
            free_extras.reserve(extras.capacity()); // giving back must not fail
            e.extra = static_cast<std::uint32_t>(extras.size() - 1);
        } else {
            e.extra = free_extras.back();
            free_extras.pop_back();
        }
        extras[e.extra].used = true;
    }
    return extras[e.extra];
}

void CtSim::Impl::release_extra(CtEntry& e) {
    if (e.extra == 0) return;
    extras[e.extra] = CtExtra();
    free_extras.push_back(e.extra);
    e.extra = 0;
}

// One whose time is over, or that was removed, is gone.
CtSim::Impl::Small* CtSim::Impl::find_small(const CtTuple& tuple) {
    Small* entry = small.size() == 0 ? nullptr : small.find(tuple);
    if (entry == nullptr || (entry->expires_s > now_s() && !entry->removed)) return entry;
    forget({entry, nullptr});
    return nullptr;
}

CtRef CtSim::Impl::of_track(const Track& track) {
    CtEntry* entry = pages.find(track);
    if (entry != nullptr && entry->removed) {
        forget({entry, &track});
        entry = nullptr;
    }
    return {entry, &track};
}

// What a script has made by its tuple belongs to the flow once that is seen.
CtRef CtSim::Impl::adopt(Small& made, const Track& track, const CtTuple& tuple, bool reverse) {
    const bool original = tuple.src == made.orig.src && tuple.sport == made.orig.sport;
    CtEntry& entry = pages.make(track);
    entry = made;
    entry.by_server = original ? reverse : !reverse;
    made.extra = 0;
    small.drop(made);
    tell_memory();
    return {&entry, &track};
}

void CtSim::Impl::tell(CtEvent event, CtRef c) {
    if (observers.empty()) return;
    const packet::Connection connection = describe(c);
    for (CtObserver* observer : observers)
        observer->on_event(event, connection);
}

// It has passed, or the next packet shows that it has.
void CtSim::Impl::tell_new(CtRef c) {
    if (c.entry->told || c.entry->removed) return; // a script may remove it before it passes
    c.entry->told = true;
    tell(CtEvent::appeared, c);
}

// The connection that the packet begins, if it may.
CtRef CtSim::Impl::begin(const packet::Dissect& d, const CtTuple& tuple, const Track* track,
                         bool reverse) {
    if (!may_begin_connection(d)) return {};
    CtRef c;
    std::uint32_t number = 0;
    if (track != nullptr) {
        if (Small* old = find_small(tuple)) forget({old, nullptr});
        c = {&pages.make(*track), track};
        c.entry->by_server = reverse;
        number = track->number();
    } else {
        c.entry = &make_small(tuple);
        number = ++small_number;
    }
    CtEntry& e = *c.entry;
    name(e, tuple, number);
    if (tuple.proto == proto::tcp &&
        std::ranges::find(options.ftp_ports, tuple.dport) != options.ftp_ports.end())
        need_extra(e).helper = packet::CtHelper(ftp_name);
    meet_expectation(c, tuple);
    tell_memory();
    return c;
}

CtSim::Impl::Small& CtSim::Impl::make_small(const CtTuple& tuple) {
    return small.make(tuple, [this](Small& gone) {
        if (gone.told && !gone.removed) tell(CtEvent::ended, {&gone, nullptr});
        release_extra(gone);
    });
}

// One that is over, in its place: the packet on its way may be about it.
void CtSim::Impl::begin_anew(Small& over, const CtTuple& orig) {
    if (over.told && !over.removed) tell(CtEvent::ended, {&over, nullptr});
    release_extra(over);
    static_cast<CtEntry&>(over) = CtEntry();
    over.exists = true;
    over.orig = orig;
}

// Its id, and when it began.
void CtSim::Impl::name(CtEntry& e, const CtTuple& tuple, std::uint32_t number) const {
    e.first_ms = now_ms();
    std::array<std::uint8_t, 44> text{};
    std::copy(tuple.src.raw.begin(), tuple.src.raw.end(), text.begin());
    std::copy(tuple.dst.raw.begin(), tuple.dst.raw.end(), text.begin() + 16);
    store_be16(text.data() + 32, tuple.sport);
    store_be16(text.data() + 34, tuple.dport);
    store_be16(text.data() + 36, tuple.icmp_id);
    text[38] = tuple.proto;
    store_be32(text.data() + 40, number);
    e.id = table_hash(options.key, text);
}

void CtSim::Impl::meet_expectation(CtRef c, const CtTuple& tuple) {
    const auto expected = expectations.meet(tuple, clock.boot_s());
    if (!expected) return;
    CtEntry& e = *c.entry;
    e.status |= static_cast<std::uint16_t>(status::expected);
    e.mark = expected->mark; // Linux hands it on
    CtExtra& extra = need_extra(e);
    extra.master = expected->master;
    extra.master_helper = expected->master_helper;
    if (!expected->wanted.helper.empty()) extra.helper = expected->wanted.helper;
}

void CtSim::Impl::count(CtEntry& e, const packet::Dissect& d, bool reply) {
    e.packets[reply]++;
    e.bytes[reply] += d.packet.size();
}

void CtSim::Impl::follow_tcp(CtEntry& e, const packet::Dissect& d, bool reply) {
    const std::uint8_t flags = d.tcp_flags();
    const auto before = static_cast<CtTcp>(e.tcp_state);
    const CtTcp now = detail::next_tcp_state(before, flags, reply);
    e.tcp_state = static_cast<std::uint8_t>(now);
    if ((before == CtTcp::syn_recv || before == CtTcp::established) && now == CtTcp::established &&
        (e.status & status::seen_reply) != 0)
        e.status |= static_cast<std::uint16_t>(status::assured);

    const std::uint32_t end = d.tcp_seq() + static_cast<std::uint32_t>(d.payload.size()) +
                              ((flags & (flag::syn | flag::fin)) != 0 ? 1 : 0);
    const bool first_of_side = e.packets[reply] == 1;
    if (first_of_side || static_cast<std::int32_t>(end - e.ends[reply]) > 0) {
        e.ends[reply] = end;
        const bool data = !d.payload.empty();
        if (reply)
            e.unacknowledged_reply = e.unacknowledged_reply || data;
        else
            e.unacknowledged_original = e.unacknowledged_original || data;
    }
    if ((flags & flag::ack) != 0 && d.tcp_ack() == e.ends[!reply]) {
        if (reply)
            e.unacknowledged_original = false;
        else
            e.unacknowledged_reply = false;
    }
}

std::uint32_t CtSim::Impl::timeout_of(const CtEntry& e, std::uint8_t l4proto) const {
    switch (l4proto) {
    case proto::tcp: {
        const std::uint32_t usual = detail::tcp_timeout(static_cast<CtTcp>(e.tcp_state));
        const bool waits = e.unacknowledged_original || e.unacknowledged_reply ||
                           (e.status & status::seen_reply) == 0;
        return waits ? std::min(usual, detail::unacknowledged_timeout) : usual;
    }
    case proto::udp:
        return (e.status & status::assured) != 0 ? udp_stream_timeout : udp_timeout;
    case proto::icmp:
    case proto::icmpv6:
        return icmp_timeout;
    default:
        return other_timeout;
    }
}

void CtSim::Impl::refresh(CtEntry& e, std::uint8_t l4proto) {
    if ((e.status & status::fixed_timeout) == 0) e.expires_s = now_s() + timeout_of(e, l4proto);
}

void CtSim::Impl::follow(CtRef c, const packet::Dissect& d, const CtTuple& tuple, bool reply,
                         bool first) {
    CtEntry& e = *c.entry;
    const std::uint8_t tcp_before = e.tcp_state;
    const bool replied = (e.status & status::seen_reply) != 0;
    if (!first) {
        tell_new(c);
        e.status |= static_cast<std::uint16_t>(status::confirmed);
    }
    if (reply) e.status |= static_cast<std::uint16_t>(status::seen_reply);
    count(e, d, reply);
    if (d.l4 == packet::L4::tcp) follow_tcp(e, d, reply);
    if (tuple.proto == proto::udp && (e.status & status::seen_reply) != 0 &&
        now_ms() - e.first_ms > udp_stream_after_ms)
        e.status |= static_cast<std::uint16_t>(status::assured);
    refresh(e, tuple.proto);
    if (!first && (e.tcp_state != tcp_before || (reply && !replied))) tell(CtEvent::changed, c);
    if (e.extra != 0 && d.l4 == packet::L4::tcp && !d.payload.empty()) read_ftp(c, d, reply);
}

void CtSim::Impl::read_ftp(CtRef c, const packet::Dissect& d, bool reply) {
    CtExtra& extra = extras[c.entry->extra];
    if (extra.helper.text() != ftp_name) return;
    std::unique_ptr<detail::FtpLines>& lines = extra.lines[reply];
    if (lines == nullptr) lines = std::make_unique<detail::FtpLines>();
    const CtTuple orig = orig_of(c);
    unsigned room = most_announced;
    lines->feed(d.tcp_seq(), d.payload, [&](std::string_view line) {
        const auto announced = room == 0 ? std::nullopt : detail::read_ftp_line(line, reply);
        if (!announced) return;
        room--;
        detail::CtExpected e;
        e.wanted.tuple.proto = proto::tcp;
        e.wanted.tuple.dst = announced->address.empty() ? orig.dst : announced->address;
        e.wanted.tuple.dport = announced->port;
        e.wanted.tuple.src = reply ? orig.src : orig.dst;
        e.master = orig;
        e.master_helper = extra.helper;
        e.mark = c.entry->mark;
        expectations.announce(e, clock.boot_s());
    });
}

void CtSim::Impl::forget(CtRef c) {
    if (unconfirmed.entry == c.entry) unconfirmed = {};
    if (c.entry->told && !c.entry->removed) tell(CtEvent::ended, c);
    release_extra(*c.entry);
    if (c.track != nullptr)
        pages.drop(*c.track);
    else
        small.drop(*static_cast<Small*>(c.entry));
    tell_memory();
}

void CtSim::Impl::tell_memory() {
    constexpr std::size_t small_cost = sizeof(Small) + sizeof(CtTuple) + 80; // list and table nodes
    constexpr std::size_t extra_cost = sizeof(CtExtra);
    share.set(pages.bytes() + small.size() * small_cost + extras.size() * extra_cost);
}

CtSim::CtSim(Options options, const ConnectionTable* tracks, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), tracks, clock)) {
}
CtSim::~CtSim() = default;

CtSim::Seen CtSim::arrives(const packet::Dissect& d, const Track* track, bool reverse) {
    Impl& t = *impl_;
    t.unconfirmed = {};
    Seen seen;
    if (is_untracked(d)) {
        seen.state = CtState::untracked;
        return seen;
    }
    const std::optional<CtTuple> tuple = ct_tuple_of(d);
    const bool undissected =
        d.l4 == packet::L4::none && (d.l4proto == proto::tcp || d.l4proto == proto::udp ||
                                     d.l4proto == proto::icmp || d.l4proto == proto::icmpv6);
    if (!tuple || undissected) return seen;

    CtRef c;
    bool reply = false;
    if (track != nullptr) {
        c = t.of_track(*track);
        Impl::Small* const made = c ? nullptr : t.find_small(*tuple);
        if (made != nullptr && made->by_hand) c = t.adopt(*made, *track, *tuple, reverse);
        if (c) reply = reverse != c.entry->by_server;
    } else if (!tuple->is_icmp() || is_echo_request(*tuple) || is_echo_answer(*tuple)) {
        Impl::Small* small = t.find_small(*tuple);
        if (small != nullptr && begins_anew(d, *small)) {
            t.forget({small, nullptr});
            small = nullptr;
        }
        c.entry = small;
        if (small != nullptr) {
            t.small.use(*small);
            reply = tuple->is_icmp()
                        ? is_echo_answer(*tuple)
                        : tuple->src != small->orig.src || tuple->sport != small->orig.sport;
        }
    }
    if (!c) {
        c = t.begin(d, *tuple, track, reverse);
        if (!c) return seen;
        seen.first = true;
        t.unconfirmed = c;
    }
    const std::uint32_t before = c.entry->status;
    seen.connection = c;
    seen.direction = reply ? CtDirection::reply : CtDirection::original;
    if (reply || (before & status::seen_reply) != 0)
        seen.state = CtState::established;
    else
        seen.state = (before & status::expected) != 0 ? CtState::related : CtState::fresh;
    t.follow(c, d, *tuple, reply, seen.first);
    return seen;
}

CtSim::Seen CtSim::arrives_about(const packet::Dissect& quoted, const Track* track, bool reverse) {
    Impl& t = *impl_;
    t.unconfirmed = {};
    Seen seen;
    const std::optional<CtTuple> tuple = ct_tuple_of(quoted);
    if (!tuple) return seen;
    CtRef c;
    bool reply = false; // of the quoted packet
    if (track != nullptr) {
        c = t.of_track(*track);
        if (c) reply = reverse != c.entry->by_server;
    } else if (Impl::Small* small = t.find_small(*tuple)) {
        c.entry = small;
        reply = tuple->is_icmp()
                    ? is_echo_answer(*tuple)
                    : tuple->src != small->orig.src || tuple->sport != small->orig.sport;
    }
    if (!c) return seen;
    seen.state = CtState::related;
    seen.direction = reply ? CtDirection::original : CtDirection::reply;
    seen.connection = c;
    return seen;
}

void CtSim::passed(const Seen& seen) {
    if (seen.first) impl_->tell_new(seen.connection);
}

void CtSim::dropped(const Seen& seen) {
    if (!seen.first || (seen.connection.entry->status & status::confirmed) != 0) return;
    impl_->forget(seen.connection);
}

void CtSim::sent(const packet::Dissect& d) {
    Impl& t = *impl_;
    if (!t.unconfirmed) return;
    const std::optional<CtTuple> tuple = ct_tuple_of(d);
    const CtTuple orig = t.orig_of(t.unconfirmed);
    if (!tuple || (*tuple != orig && *tuple != ct_reply_to(orig))) return;
    t.unconfirmed.entry->status |= static_cast<std::uint16_t>(status::confirmed);
    t.tell_new(t.unconfirmed);
    t.unconfirmed = {};
}

void CtSim::track_ended(const Track& track) {
    if (CtEntry* entry = impl_->pages.find(track)) impl_->forget({entry, &track});
}

std::size_t CtSim::size() const {
    return impl_->pages.used() + impl_->small.size();
}

} // namespace nfqws2::flow
