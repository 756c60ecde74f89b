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
#include "nfqws2/flow/ct_sim.hpp"

#include "ct_ftp.hpp"
#include "ct_table.hpp"
#include "ct_tcp.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

namespace nfqws2::flow {

namespace {

using packet::CtDirection;
using packet::CtState;
using packet::CtTcp;
using packet::CtTuple;
namespace proto = packet::proto;
namespace flag = packet::tcp_flag;
namespace status = packet::ct_status;

constexpr unsigned most_announced = 4; // data connections by one packet

constexpr std::uint32_t udp_timeout = 30, udp_stream_timeout = 120, icmp_timeout = 30,
                        other_timeout = 600, expectation_timeout = 300;
constexpr std::uint32_t udp_stream_after_ms = 2000;
constexpr std::size_t most_expectations = 1024;
constexpr const char* ftp_name = "ftp";

struct CtExtra {
    std::optional<CtTuple> master;
    packet::CtHelper helper, master_helper;
    std::optional<packet::CtLabels> labels;
    std::array<std::unique_ptr<detail::FtpLines>, 2> lines;
    bool used = false;
};

struct Expectation {
    packet::CtExpectation wanted;
    CtTuple master;
    packet::CtHelper master_helper;
    std::uint32_t mark = 0; // of the master
    std::int64_t expires_s = 0;

    bool matches(const CtTuple& t) const {
        const CtTuple& w = wanted.tuple;
        return t.proto == w.proto && t.dst == w.dst && t.dport == w.dport &&
               (w.src.empty() || t.src == w.src) && (w.sport == 0 || t.sport == w.sport);
    }
};

bool is_echo_request(const CtTuple& t) {
    return t.icmp_type == (t.proto == proto::icmp ? 8 : 128);
}
bool is_echo_answer(const CtTuple& t) {
    return t.icmp_type == (t.proto == proto::icmp ? 0 : 129);
}
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

std::optional<CtTuple> ct_tuple_of(const packet::Dissect& d) {
    if (!d.is_ip() || d.fragment) return std::nullopt;
    CtTuple t;
    t.proto = d.l4proto;
    t.src = d.source();
    t.dst = d.destination();
    const std::size_t behind_ip =
        d.packet.size() - std::min<std::size_t>(d.packet.size(), d.l3_len);
    switch (d.l4proto) {
    case proto::tcp:
    case proto::udp:
        if (behind_ip < 4) return std::nullopt; // of quoted packets no more need be there
        t.sport = d.source_port();
        t.dport = d.destination_port();
        break;
    case proto::icmp:
    case proto::icmpv6:
        if (behind_ip < 8) return std::nullopt;
        t.icmp_type = d.transport()[0];
        t.icmp_code = d.transport()[1];
        t.icmp_id = load_be16(d.transport() + 4);
        break;
    default:
        break;
    }
    return t;
}

bool may_begin_connection(const packet::Dissect& d) {
    const std::optional<CtTuple> tuple = ct_tuple_of(d);
    if (!tuple) return false;
    switch (tuple->proto) {
    case proto::tcp:
        return d.l4 == packet::L4::tcp && detail::may_begin_tcp(d.tcp_flags());
    case proto::icmp:
    case proto::icmpv6:
        return d.l4 == packet::L4::icmp && is_echo_request(*tuple);
    default:
        return true;
    }
}

CtTuple ct_reply_to(const CtTuple& tuple) {
    CtTuple reply = tuple;
    std::swap(reply.src, reply.dst);
    std::swap(reply.sport, reply.dport);
    if (is_echo_request(tuple) && tuple.is_icmp())
        reply.icmp_type = tuple.proto == proto::icmp ? 0 : 129;
    return reply;
}

struct CtSim::Impl {
    Impl(Options o, const ConnectionTable* t, const Clock& c)
        : options(std::move(o)), tracks(t), clock(c), small(options.key), extras(1),
          share(options.memory, MemoryBudget::Part::flows) {}

    using Small = detail::CtSmallTable::Entry;

    std::uint32_t now_s() const { return static_cast<std::uint32_t>(clock.boot_s()); }
    std::uint32_t now_ms() const { return static_cast<std::uint32_t>(clock.boot_ms()); }
    CtTuple orig_of(CtRef c) const;
    CtExtra* extra_of(const CtEntry& e) { return e.extra != 0 ? &extras[e.extra] : nullptr; }
    CtExtra& need_extra(CtEntry& e);
    void release_extra(CtEntry& e);

    Small* find_small(const CtTuple& tuple);
    CtRef begin(const packet::Dissect& d, const CtTuple& tuple, const Track* track, bool reverse);
    void meet_expectation(CtRef c, const CtTuple& tuple);
    void follow(CtRef c, const packet::Dissect& d, const CtTuple& tuple, bool reply, bool first);
    void follow_tcp(CtEntry& e, const packet::Dissect& d, bool reply);
    void count(CtEntry& e, const packet::Dissect& d, bool reply);
    void refresh(CtEntry& e, std::uint8_t l4proto);
    std::uint32_t timeout_of(const CtEntry& e, std::uint8_t l4proto) const;
    void read_ftp(CtRef c, const packet::Dissect& d, bool reply);
    void add_expectation(const Expectation& e);
    void forget_expectations();
    void forget(CtRef c);
    void tell_memory();

    Options options;
    const ConnectionTable* tracks;
    const Clock& clock;
    detail::CtPages pages;
    detail::CtSmallTable small;
    std::vector<CtExtra> extras; // [0] is not used
    std::vector<std::uint32_t> free_extras;
    std::vector<Expectation> expectations;
    CtRef unconfirmed; // whose first packet is on its way
    std::uint32_t small_number = 0;
    MemoryShare share;
};

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

// One whose time is over is gone.
CtSim::Impl::Small* CtSim::Impl::find_small(const CtTuple& tuple) {
    Small* entry = small.size() == 0 ? nullptr : small.find(tuple);
    if (entry == nullptr || entry->expires_s > now_s()) return entry;
    release_extra(*entry);
    small.drop(*entry);
    return nullptr;
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
        c.entry = &small.make(tuple, [this](Small& gone) { release_extra(gone); });
        number = ++small_number;
    }
    CtEntry& e = *c.entry;
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
    if (tuple.proto == proto::tcp &&
        std::ranges::find(options.ftp_ports, tuple.dport) != options.ftp_ports.end())
        need_extra(e).helper = packet::CtHelper(ftp_name);
    meet_expectation(c, tuple);
    tell_memory();
    return c;
}

void CtSim::Impl::meet_expectation(CtRef c, const CtTuple& tuple) {
    if (expectations.empty()) return;
    forget_expectations();
    const auto found =
        std::ranges::find_if(expectations, [&](const Expectation& e) { return e.matches(tuple); });
    if (found == expectations.end()) return;
    CtEntry& e = *c.entry;
    e.status |= static_cast<std::uint16_t>(status::expected);
    e.mark = found->mark; // Linux hands it on
    CtExtra& extra = need_extra(e);
    extra.master = found->master;
    extra.master_helper = found->master_helper;
    if (!found->wanted.helper.empty()) extra.helper = found->wanted.helper;
    if (!found->wanted.permanent) expectations.erase(found);
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
    if (!first) e.status |= static_cast<std::uint16_t>(status::confirmed);
    if (reply) e.status |= static_cast<std::uint16_t>(status::seen_reply);
    count(e, d, reply);
    if (d.l4 == packet::L4::tcp) follow_tcp(e, d, reply);
    if (tuple.proto == proto::udp && (e.status & status::seen_reply) != 0 &&
        now_ms() - e.first_ms > udp_stream_after_ms)
        e.status |= static_cast<std::uint16_t>(status::assured);
    refresh(e, tuple.proto);
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
        Expectation e;
        e.wanted.tuple.proto = proto::tcp;
        e.wanted.tuple.dst = announced->address.empty() ? orig.dst : announced->address;
        e.wanted.tuple.dport = announced->port;
        e.wanted.tuple.src = reply ? orig.src : orig.dst;
        e.master = orig;
        e.master_helper = extra.helper;
        e.mark = c.entry->mark;
        e.expires_s = clock.boot_s() + expectation_timeout;
        add_expectation(e);
    });
}

// A newer one of the same kind takes the place of the older; of too many the oldest goes.
void CtSim::Impl::add_expectation(const Expectation& e) {
    forget_expectations();
    std::erase_if(expectations,
                  [&](const Expectation& old) { return old.wanted.tuple == e.wanted.tuple; });
    if (expectations.size() >= most_expectations) expectations.erase(expectations.begin());
    expectations.push_back(e);
}

void CtSim::Impl::forget_expectations() {
    std::erase_if(expectations,
                  [now = clock.boot_s()](const Expectation& e) { return e.expires_s <= now; });
}

void CtSim::Impl::forget(CtRef c) {
    if (unconfirmed.entry == c.entry) unconfirmed = {};
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
        c = {t.pages.find(*track), track};
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
        c = {t.pages.find(*track), track};
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
    t.unconfirmed = {};
}

void CtSim::track_ended(const Track& track) {
    if (CtEntry* entry = impl_->pages.find(track)) impl_->forget({entry, &track});
}

packet::Connection CtSim::describe(CtRef connection) const {
    Impl& t = *impl_;
    const CtEntry& e = *connection.entry;
    packet::Connection c;
    c.orig = t.orig_of(connection);
    c.reply = ct_reply_to(c.orig);
    c.id = e.id;
    c.mark = e.mark;
    c.status = e.status;
    const std::uint32_t now = t.now_s();
    c.timeout = e.expires_s > now ? e.expires_s - now : 0;
    if (c.orig.proto == proto::tcp) c.tcp_state = static_cast<CtTcp>(e.tcp_state);
    c.counted = true;
    c.orig_counter = {e.packets[0], e.bytes[0]};
    c.reply_counter = {e.packets[1], e.bytes[1]};
    if (const CtExtra* extra = t.extra_of(e)) {
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
    return {found != nullptr && found->expires_s > t.now_s() ? found : nullptr, nullptr};
}

CtRef CtSim::find(const Track& track) const {
    return {impl_->pages.find(track), &track};
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
        if (entry.expires_s > t.now_s()) visit({&entry, nullptr});
}

void CtSim::set(CtRef connection, const packet::CtChanges& changes) {
    Impl& t = *impl_;
    CtEntry& e = *connection.entry;
    e.mark = changes.changed_mark(e.mark);
    if (changes.timeout) {
        const std::uint64_t end = std::uint64_t{t.now_s()} + *changes.timeout;
        e.expires_s = static_cast<std::uint32_t>(std::min<std::uint64_t>(end, UINT32_MAX));
    }
    if (changes.status) e.status |= static_cast<std::uint16_t>(*changes.status);
    if (changes.helper) {
        CtExtra& extra = t.need_extra(e);
        extra.helper = *changes.helper;
    }
    if (changes.labels) {
        CtExtra& extra = t.need_extra(e);
        std::array<std::uint8_t, 16> now = extra.labels.value_or(std::array<std::uint8_t, 16>{});
        for (std::size_t i = 0; i < now.size(); i++) {
            const unsigned mask = changes.labels_mask ? (*changes.labels_mask)[i] : 0xFF;
            now[i] = static_cast<std::uint8_t>((now[i] & ~mask) | ((*changes.labels)[i] & mask));
        }
        extra.labels = now;
    }
    t.tell_memory();
}

int CtSim::expect(CtRef master, const packet::CtExpectation& expectation) {
    Impl& t = *impl_;
    const CtExtra* extra = t.extra_of(*master.entry);
    if (extra == nullptr || extra->helper.empty()) return EOPNOTSUPP;
    t.forget_expectations();
    for (const Expectation& old : t.expectations)
        if (old.wanted.tuple == expectation.tuple) return EEXIST;
    if (t.expectations.size() >= most_expectations) return ENOSPC;
    Expectation e;
    e.wanted = expectation;
    e.master = t.orig_of(master);
    e.master_helper = extra->helper;
    e.mark = master.entry->mark;
    e.expires_s = t.clock.boot_s() + expectation_timeout;
    t.expectations.push_back(e);
    return 0;
}

std::size_t CtSim::size() const {
    return impl_->pages.used() + impl_->small.size();
}

} // namespace nfqws2::flow
