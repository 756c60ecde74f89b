#include "table/fill.hpp"

#include "nfqws2/base/clock.hpp"
#include "nfqws2/lua/connections.hpp"

namespace nfqws2::lua {

namespace {

Text bytes(Bytes b) {
    static constexpr std::uint8_t nothing = 0; // empty is not absent
    return {{b.data() != nullptr ? b.data() : &nothing}, {static_cast<std::uint32_t>(b.size())}};
}

constexpr Text absent{};

Text unless_empty(std::string_view text) {
    return text.empty() ? absent : bytes(as_bytes(text));
}

Text if_there(const std::optional<Bytes>& b) {
    return b ? bytes(*b) : absent;
}

double seconds(std::int64_t ns) {
    return static_cast<double>(ns) * 1e-9;
}

void fill(TcpFacts& f, const flow::SidePositions& side) {
    f.seq0 = {side.seq0};
    f.seq = {side.seq};
    f.rseq = {side.rseq()};
    f.rseq_over_2G = {side.rseq_over_2g};
    f.pos = {side.rpos()};
    f.uppos = {side.uppos - side.seq0};
    f.uppos_prev = {side.uppos_prev - side.seq0};
    f.winsize = {side.winsize};
    f.winsize_calc = {side.winsize_calc};
    f.scale = {side.scale};
    f.mss = {side.mss};
}

void fill(SideFacts& f, const flow::SidePositions& side, bool tcp) {
    f.pcounter = {static_cast<double>(side.pcounter)};
    f.pdcounter = {static_cast<double>(side.pdcounter)};
    f.pbcounter = {static_cast<double>(side.pbcounter)};
    f.ip6_flow = {side.ip6_flow};
    f.tcp.exists = {tcp};
    if (tcp) fill(f.tcp, side);
}

void fill(TargetFacts& f, const PacketView& view) {
    const bool v4 = view.target.version == 4;
    const Text address = bytes(view.target.bytes());
    f.ip = v4 ? address : absent;
    f.ip6 = v4 ? absent : address;
    f.port = {view.target_port};
}

void fill_replay(Facts& f, const std::optional<Replay>& replay) {
    f.replay = {replay.has_value()};
    f.reasm_offset = {replay ? replay->offset : 0};
    f.replay_piece = {replay ? replay->piece : 0};
    f.replay_piece_count = {replay ? replay->count : 0};
    f.replay_piece_last =
        replay ? known(replay->piece == replay->count) : OptionalBoolean{OptionalBoolean::absent};
}

Mss mss_of(const PacketView& view) {
    if (view.dis->l4 != packet::L4::tcp) return {Mss::absent};
    return {view.tcp_mss != 0 ? view.tcp_mss : Mss::of_global};
}

template <typename Value> KnownNumber if_known(const std::optional<Value>& value) {
    return {value ? static_cast<double>(*value) : KnownNumber::absent};
}

void fill(CtTupleFacts& f, const packet::CtTuple& t) {
    f = {};
    f.exists = {1};
    f.proto = {t.proto};
    f.src = bytes(t.src.bytes());
    f.dst = bytes(t.dst.bytes());
    if (t.has_ports()) {
        f.sport = {static_cast<double>(t.sport)};
        f.dport = {static_cast<double>(t.dport)};
    } else if (t.is_icmp()) {
        f.icmp_type = {static_cast<double>(t.icmp_type)};
        f.icmp_code = {static_cast<double>(t.icmp_code)};
        f.icmp_id = {static_cast<double>(t.icmp_id)};
    }
}

// A translation shows where an answer does not come from where the question went, or goes
// elsewhere.
void fill(CtNatFacts& f, const packet::Connection& c) {
    const bool source = c.reply.dst != c.orig.src || c.reply.dport != c.orig.sport;
    const bool destination = c.reply.src != c.orig.dst || c.reply.sport != c.orig.dport;
    f = {};
    f.exists = {source || destination};
    const bool ports = c.orig.has_ports();
    if (source) {
        f.src = bytes(c.reply.dst.bytes());
        if (ports) f.sport = {static_cast<double>(c.reply.dport)};
    }
    if (destination) {
        f.dst = bytes(c.reply.src.bytes());
        if (ports) f.dport = {static_cast<double>(c.reply.sport)};
    }
}

CtCounterFacts counted(const packet::CtCounter& counter) {
    return {{static_cast<double>(counter.packets)}, {static_cast<double>(counter.bytes)}};
}

void fill_connection(CtFacts& f, const packet::Connection& c) {
    f.id = if_known(c.id);
    f.mark = if_known(c.mark);
    f.zone = {c.zone};
    f.status = if_known(c.status);
    f.flags = {f.status.value};
    f.timeout = if_known(c.timeout);
    f.helper = unless_empty(c.helper.text());
    f.tcp_state = unless_empty(name(c.tcp_state));
    fill(f.orig, c.orig);
    fill(f.reply, c.reply);
    if (c.master) fill(f.master, *c.master);
    fill(f.nat, c);
    f.counters.exists = {c.counted};
    if (c.counted) {
        f.counters.orig = counted(c.orig_counter);
        f.counters.reply = counted(c.reply_counter);
    }
    f.start = {static_cast<double>(c.start_ns / second_ns) +
               static_cast<double>(c.start_ns % second_ns) * 1e-9};
    if (c.labels) f.labels = bytes(*c.labels);
}

} // namespace

void fill(CtFacts& f, const packet::CtFacts& known_facts) {
    f = {};
    f.exists = {1};
    f.source = bytes(as_bytes(name(known_facts.source)));
    f.state = bytes(as_bytes(name(known_facts.state)));
    f.exact = known(known_facts.exact);
    if (known_facts.direction != packet::CtDirection::unknown)
        f.dir = bytes(
            as_bytes(known_facts.direction == packet::CtDirection::reply ? "reply" : "original"));
    if (known_facts.connection) fill_connection(f, *known_facts.connection);
}

void fill(CtFacts& f, packet::CtSource source, const packet::Connection& connection) {
    f = {};
    f.exists = {1};
    f.source = bytes(as_bytes(name(source)));
    fill_connection(f, connection);
}

void fill(DissectFacts& f, const packet::Dissect& d) {
    f.packet = {d.packet.data()};
    f.payload = bytes(d.payload);
    f.l3 = {static_cast<std::uint32_t>(d.l3)};
    f.l4 = {static_cast<std::uint32_t>(d.l4)};
    f.l4proto = {d.l4proto};
    f.transport_len = {d.transport_len};
    f.l3_len = {d.l3_len};
    f.l4_len = {d.l4_len};
    f.fragment = {d.fragment};
    f.frag_off = {d.frag_off};
    if (d.l3 == packet::L3::ipv6) f.ip6_flow = {d.ip6_flow()};
    if (d.l4 == packet::L4::tcp) {
        f.th_seq = {d.tcp_seq()};
        f.th_ack = {d.tcp_ack()};
    } else if (d.l4 == packet::L4::icmp) {
        f.icmp_data = {load_be32(d.transport() + 4)};
    }
}

void fill(TrackFacts& f, const flow::Track& track, const flow::Positions& positions,
          bool direct_is_client) {
    f.exists = {1};
    f.incoming_ttl = {track.incoming_ttl()};
    f.l7proto = {track.l7()};
    const bool has_hostname = track.has_hostname();
    f.hostname = has_hostname ? bytes(as_bytes(track.hostname())) : absent;
    f.hostname_is_ip =
        has_hostname ? known(track.hostname_is_ip()) : OptionalBoolean{OptionalBoolean::absent};
    f.lua_state = {static_cast<std::uint32_t>(track.lua_ref())};
    f.lua_in_cutoff = {track.cutoff(false)};
    f.lua_out_cutoff = {track.cutoff(true)};
    f.t_start = {seconds(track.start_ns())};
    f.pos.dt = {seconds(positions.last_ns - track.start_ns())};
    f.pos.direct_is_client = {direct_is_client};
    fill(f.pos.client, positions.client, track.is_tcp());
    fill(f.pos.server, positions.server, track.is_tcp());
}

void fill(Facts& f, const PacketView& view) {
    f.track.exists = {0};
    if (view.track != nullptr) fill(f.track, *view.track, *view.positions, view.from_client);
    f.profile_n = {view.profile->number};
    f.profile_name = {name_place(*view.profile)};
    f.cookie = {cookie_place(*view.profile)};
    f.outgoing = {view.outgoing};
    f.ifin = unless_empty(view.ifin);
    f.ifout = unless_empty(view.ifout);
    f.fwmark = {view.fwmark};
    fill(f.target, view);
    fill_replay(f, view.replay);
    f.l7payload = {view.payload};
    f.l7proto = {view.l7};
    const Text reasm = if_there(view.reasm_data);
    f.reasm_data = {reasm.data, reasm.size};
    f.decrypt_data = if_there(view.decrypt_data);
    f.tcp_mss = mss_of(view);
    f.merged = {view.merged};
    f.ct.exists = {0};
    if (view.ct != nullptr) fill(f.ct, view.ct->facts());
}

} // namespace nfqws2::lua
