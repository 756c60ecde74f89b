// The description of the `desync` table: every field with its kind (kinds.hpp), in the order in
// which the builders set them. From these lists come the structures below, their declaration for
// the FFI and the constructors of the compiled builder (builder_text.hpp), and what the C API
// builder sets (api_table.cpp). fill.cpp gives the fields their values.
//
// The lists are macros, since C++20 makes no member out of a name. NFQWS2_FACTS is the only one to
// expand them; everything else goes by `each`.
#pragma once

#include "table/kinds.hpp"

namespace nfqws2::lua {

#define NFQWS2_MEMBER(kind, name) kind name;
#define NFQWS2_VISIT(kind, name) visit(#name, &Self::name);

// A structure with the members of a list. A structure is a kind too, that of a table in a table.
// `each` calls visit(name, pointer to member) for every field, in order.
#define NFQWS2_FACTS(structure, c_name, lua_value, LIST)                                           \
    struct structure {                                                                             \
        using Self = structure;                                                                    \
        static constexpr KindText c_type = "struct " c_name, lua = lua_value;                      \
        LIST(NFQWS2_MEMBER)                                                                        \
        template <typename Visit> static constexpr void each(Visit&& visit) { LIST(NFQWS2_VISIT) } \
    }

// clang-format off

// Bytes as a string of Lua, which are not copied before that. An address of 0: absent.
#define NFQWS2_TEXT(FIELD) \
    FIELD(Address, data) \
    FIELD(Hidden, size)
NFQWS2_FACTS(Text, "text", "f.%.data ~= nil and str(f.%.data, f.%.size) or nil", NFQWS2_TEXT);

// The same where it may be the payload of the packet, whose string is there already.
NFQWS2_FACTS(Message, "message",
             "f.%.size == #payload and f.%.data == f.dis.payload.data and payload or "
             "f.%.data ~= nil and str(f.%.data, f.%.size) or nil", NFQWS2_TEXT);

// desync.dis: what the compiled builder cannot read as cheaply from the bytes of the headers. The
// fields of headers are the wire's, not ours to describe: see push_packet.cpp and build_dis() in
// builder.lua.hpp.
#define NFQWS2_DISSECT(FIELD) \
    FIELD(Address, packet) \
    FIELD(Text, payload) \
    FIELD(Hidden, l3) \
    FIELD(Hidden, l4) \
    FIELD(Hidden, l4proto) \
    FIELD(Hidden, transport_len) \
    FIELD(Hidden, l3_len) \
    FIELD(Hidden, l4_len) \
    FIELD(Hidden, fragment) \
    FIELD(Hidden, frag_off) \
    FIELD(Hidden, ip6_flow) \
    FIELD(Hidden, th_seq) \
    FIELD(Hidden, th_ack) \
    FIELD(Hidden, icmp_data)
NFQWS2_FACTS(DissectFacts, "dissect", "build_dis(f.%, payload)", NFQWS2_DISSECT);

// desync.track.pos.client.tcp
#define NFQWS2_TCP(FIELD) \
    FIELD(Hidden, exists) \
    FIELD(Number, seq0) \
    FIELD(Number, seq) \
    FIELD(Number, rseq) \
    FIELD(Boolean, rseq_over_2G) \
    FIELD(Number, pos) \
    FIELD(Number, uppos) \
    FIELD(Number, uppos_prev) \
    FIELD(Number, winsize) \
    FIELD(Number, winsize_calc) \
    FIELD(Number, scale) \
    FIELD(Number, mss)
NFQWS2_FACTS(TcpFacts, "tcp", "build_tcp(f.%)", NFQWS2_TCP);

// desync.track.pos.client and server
#define NFQWS2_SIDE(FIELD) \
    FIELD(Counter, pcounter) \
    FIELD(Counter, pdcounter) \
    FIELD(Counter, pbcounter) \
    FIELD(OptionalNumber, ip6_flow) \
    FIELD(TcpFacts, tcp)
NFQWS2_FACTS(SideFacts, "side", "", NFQWS2_SIDE);

// desync.track.pos: client and server appear once more, as direct and reverse, which is why the
// builders make it by hand.
#define NFQWS2_POS(FIELD) \
    FIELD(Real, dt) \
    FIELD(Hidden, direct_is_client) \
    FIELD(SideFacts, client) \
    FIELD(SideFacts, server)
NFQWS2_FACTS(PosFacts, "pos", "build_pos(f.%)", NFQWS2_POS);

#define NFQWS2_TRACK(FIELD) \
    FIELD(Hidden, exists) \
    FIELD(OptionalNumber, incoming_ttl) \
    FIELD(L7Name, l7proto) \
    FIELD(Text, hostname) \
    FIELD(OptionalBoolean, hostname_is_ip) \
    FIELD(FlowState, lua_state) \
    FIELD(Boolean, lua_in_cutoff) \
    FIELD(Boolean, lua_out_cutoff) \
    FIELD(Real, t_start) \
    FIELD(PosFacts, pos)
NFQWS2_FACTS(TrackFacts, "track", "build_track(f.%)", NFQWS2_TRACK);

#define NFQWS2_TARGET(FIELD) \
    FIELD(Text, ip) \
    FIELD(Text, ip6) \
    FIELD(OptionalNumber, port)
NFQWS2_FACTS(TargetFacts, "target", "build_target(f.%)", NFQWS2_TARGET);

// desync.ct.orig, reply and master
#define NFQWS2_CT_TUPLE(FIELD) \
    FIELD(Hidden, exists) \
    FIELD(Number, proto) \
    FIELD(Text, src) \
    FIELD(Text, dst) \
    FIELD(KnownNumber, sport) \
    FIELD(KnownNumber, dport) \
    FIELD(KnownNumber, icmp_type) \
    FIELD(KnownNumber, icmp_code) \
    FIELD(KnownNumber, icmp_id)
NFQWS2_FACTS(CtTupleFacts, "ct_tuple", "build_ct_tuple(f.%)", NFQWS2_CT_TUPLE);

#define NFQWS2_CT_NAT(FIELD) \
    FIELD(Hidden, exists) \
    FIELD(Text, src) \
    FIELD(KnownNumber, sport) \
    FIELD(Text, dst) \
    FIELD(KnownNumber, dport)
NFQWS2_FACTS(CtNatFacts, "ct_nat", "build_ct_nat(f.%)", NFQWS2_CT_NAT);

#define NFQWS2_CT_COUNTER(FIELD) \
    FIELD(Counter, packets) \
    FIELD(Counter, bytes)
NFQWS2_FACTS(CtCounterFacts, "ct_counter", "build_ct_counter(f.%)", NFQWS2_CT_COUNTER);

#define NFQWS2_CT_COUNTERS(FIELD) \
    FIELD(Hidden, exists) \
    FIELD(CtCounterFacts, orig) \
    FIELD(CtCounterFacts, reply)
NFQWS2_FACTS(CtCountersFacts, "ct_counters", "build_ct_counters(f.%)", NFQWS2_CT_COUNTERS);

// desync.ct; what ct_lookup() gives has no state.
#define NFQWS2_CT(FIELD) \
    FIELD(Hidden, exists) \
    FIELD(Text, source) \
    FIELD(Text, state) \
    FIELD(OptionalBoolean, exact) \
    FIELD(Text, dir) \
    FIELD(KnownNumber, id) \
    FIELD(KnownNumber, mark) \
    FIELD(OptionalNumber, zone) \
    FIELD(KnownNumber, status) \
    FIELD(CtStatusBits, flags) \
    FIELD(KnownNumber, timeout) \
    FIELD(Text, helper) \
    FIELD(Text, tcp_state) \
    FIELD(CtTupleFacts, orig) \
    FIELD(CtTupleFacts, reply) \
    FIELD(CtTupleFacts, master) \
    FIELD(CtNatFacts, nat) \
    FIELD(CtCountersFacts, counters) \
    FIELD(OptionalReal, start) \
    FIELD(Text, labels)
NFQWS2_FACTS(CtFacts, "ct", "build_ct(f.%)", NFQWS2_CT);

// The table itself, but for what is replaced before each call (Desync::call).
#define NFQWS2_DESYNC(FIELD) \
    FIELD(DissectFacts, dis) \
    FIELD(TrackFacts, track) \
    FIELD(Number, profile_n) \
    FIELD(ProfileText, profile_name) \
    FIELD(ProfileText, cookie) \
    FIELD(Boolean, outgoing) \
    FIELD(Text, ifin) \
    FIELD(Text, ifout) \
    FIELD(Number, fwmark) \
    FIELD(TargetFacts, target) \
    FIELD(Boolean, replay) \
    FIELD(OptionalNumber, replay_piece) \
    FIELD(OptionalNumber, replay_piece_count) \
    FIELD(OptionalBoolean, replay_piece_last) \
    FIELD(PayloadName, l7payload) \
    FIELD(L7Name, l7proto) \
    FIELD(Number, reasm_offset) \
    FIELD(Message, reasm_data) \
    FIELD(Text, decrypt_data) \
    FIELD(Mss, tcp_mss) \
    FIELD(OptionalNumber, merged) \
    FIELD(CtFacts, ct) \
    FIELD(Hidden, valid) /* the addresses are good: a packet's table is being built right now */
NFQWS2_FACTS(Facts, "desync", "", NFQWS2_DESYNC);

// clang-format on

#undef NFQWS2_FACTS
#undef NFQWS2_MEMBER
#undef NFQWS2_VISIT

template <typename... Structure> struct Structures {};
// Each after those that it has inside.
using AllStructures =
    Structures<Text, Message, DissectFacts, TcpFacts, SideFacts, PosFacts, TrackFacts, TargetFacts,
               CtTupleFacts, CtNatFacts, CtCounterFacts, CtCountersFacts, CtFacts, Facts>;

template <typename Structure>
inline constexpr KindText name_of = Structure::c_type.substr(KindText("struct ").size());

// What `each` hands over is a member of this kind.
template <typename Member> struct MemberKind;
template <typename Structure, typename Kind> struct MemberKind<Kind Structure::*> {
    using type = Kind;
};
template <typename Member> using kind_of = typename MemberKind<Member>::type;

// Scripts see it: the compiled builder writes something.
template <typename Kind> inline constexpr bool is_shown = !Kind::lua.empty();

} // namespace nfqws2::lua
