#if NFQWS2_HAVE_NFCT

#include "nfct/attributes.hpp"

#include "api/arguments.hpp"

#include <cstring>

namespace nfqws2::lua {
namespace {

using Kind = Attribute::Kind;

constexpr Attribute attributes[] = {
    {"orig-ipv4-src", ATTR_ORIG_IPV4_SRC, 32},
    {"ipv4-src", ATTR_ORIG_IPV4_SRC, 32},
    {"orig-ipv4-dst", ATTR_ORIG_IPV4_DST, 32},
    {"ipv4-dst", ATTR_ORIG_IPV4_DST, 32},
    {"orig-ipv6-src", ATTR_ORIG_IPV6_SRC, 128, Kind::address},
    {"ipv6-src", ATTR_ORIG_IPV6_SRC, 128, Kind::address},
    {"orig-ipv6-dst", ATTR_ORIG_IPV6_DST, 128, Kind::address},
    {"ipv6-dst", ATTR_ORIG_IPV6_DST, 128, Kind::address},
    {"orig-port-src", ATTR_ORIG_PORT_SRC, 16},
    {"port-src", ATTR_ORIG_PORT_SRC, 16},
    {"orig-port-dst", ATTR_ORIG_PORT_DST, 16},
    {"port-dst", ATTR_ORIG_PORT_DST, 16},
    {"orig-l3proto", ATTR_ORIG_L3PROTO, 8},
    {"l3proto", ATTR_ORIG_L3PROTO, 8},
    {"orig-l4proto", ATTR_ORIG_L4PROTO, 8},
    {"l4proto", ATTR_ORIG_L4PROTO, 8},
    {"repl-ipv4-src", ATTR_REPL_IPV4_SRC, 32},
    {"repl-ipv4-dst", ATTR_REPL_IPV4_DST, 32},
    {"repl-ipv6-src", ATTR_REPL_IPV6_SRC, 128, Kind::address},
    {"repl-ipv6-dst", ATTR_REPL_IPV6_DST, 128, Kind::address},
    {"repl-port-src", ATTR_REPL_PORT_SRC, 16},
    {"repl-port-dst", ATTR_REPL_PORT_DST, 16},
    {"repl-l3proto", ATTR_REPL_L3PROTO, 8},
    {"repl-l4proto", ATTR_REPL_L4PROTO, 8},
    {"icmp-type", ATTR_ICMP_TYPE, 8},
    {"icmp-code", ATTR_ICMP_CODE, 8},
    {"icmp-id", ATTR_ICMP_ID, 16},
    {"tcp-state", ATTR_TCP_STATE, 8},
    {"snat-ipv4", ATTR_SNAT_IPV4, 32},
    {"dnat-ipv4", ATTR_DNAT_IPV4, 32},
    {"snat-port", ATTR_SNAT_PORT, 16},
    {"dnat-port", ATTR_DNAT_PORT, 16},
    {"timeout", ATTR_TIMEOUT, 32},
    {"mark", ATTR_MARK, 32},
    {"orig-counter-packets", ATTR_ORIG_COUNTER_PACKETS, 64, Kind::number, false},
    {"repl-counter-packets", ATTR_REPL_COUNTER_PACKETS, 64, Kind::number, false},
    {"orig-counter-bytes", ATTR_ORIG_COUNTER_BYTES, 64, Kind::number, false},
    {"repl-counter-bytes", ATTR_REPL_COUNTER_BYTES, 64, Kind::number, false},
    {"use", ATTR_USE, 32, Kind::number, false},
    {"id", ATTR_ID, 32},
    {"status", ATTR_STATUS, 32},
    {"tcp-flags-orig", ATTR_TCP_FLAGS_ORIG, 8},
    {"tcp-flags-repl", ATTR_TCP_FLAGS_REPL, 8},
    {"tcp-mask-orig", ATTR_TCP_MASK_ORIG, 8},
    {"tcp-mask-repl", ATTR_TCP_MASK_REPL, 8},
    {"master-ipv4-src", ATTR_MASTER_IPV4_SRC, 32},
    {"master-ipv4-dst", ATTR_MASTER_IPV4_DST, 32},
    {"master-ipv6-src", ATTR_MASTER_IPV6_SRC, 128, Kind::address},
    {"master-ipv6-dst", ATTR_MASTER_IPV6_DST, 128, Kind::address},
    {"master-port-src", ATTR_MASTER_PORT_SRC, 16},
    {"master-port-dst", ATTR_MASTER_PORT_DST, 16},
    {"master-l3proto", ATTR_MASTER_L3PROTO, 8},
    {"master-l4proto", ATTR_MASTER_L4PROTO, 8},
    {"secmark", ATTR_SECMARK, 32},
    {"orig-nat-seq-correction-pos", ATTR_ORIG_NAT_SEQ_CORRECTION_POS, 32},
    {"orig-nat-seq-offset-before", ATTR_ORIG_NAT_SEQ_OFFSET_BEFORE, 32},
    {"orig-nat-seq-offset-after", ATTR_ORIG_NAT_SEQ_OFFSET_AFTER, 32},
    {"repl-nat-seq-correction-pos", ATTR_REPL_NAT_SEQ_CORRECTION_POS, 32},
    {"repl-nat-seq-offset-before", ATTR_REPL_NAT_SEQ_OFFSET_BEFORE, 32},
    {"repl-nat-seq-offset-after", ATTR_REPL_NAT_SEQ_OFFSET_AFTER, 32},
    {"sctp-state", ATTR_SCTP_STATE, 8},
    {"sctp-vtag-orig", ATTR_SCTP_VTAG_ORIG, 32},
    {"sctp-vtag-repl", ATTR_SCTP_VTAG_REPL, 32},
    {"helper-name", ATTR_HELPER_NAME, 0, Kind::text},
    {"dccp-state", ATTR_DCCP_STATE, 8},
    {"dccp-role", ATTR_DCCP_ROLE, 8},
    {"dccp-handshake-seq", ATTR_DCCP_HANDSHAKE_SEQ, 64},
    {"zone", ATTR_ZONE, 16},
    {"orig-zone", ATTR_ORIG_ZONE, 16},
    {"repl-zone", ATTR_REPL_ZONE, 16},
    {"tcp-wscale-orig", ATTR_TCP_WSCALE_ORIG, 8},
    {"tcp-wscale-repl", ATTR_TCP_WSCALE_REPL, 8},
    {"timestamp-start", ATTR_TIMESTAMP_START, 64, Kind::number, false},
    {"timestamp-stop", ATTR_TIMESTAMP_STOP, 64, Kind::number, false},
    {"snat-ipv6", ATTR_SNAT_IPV6, 128, Kind::address},
    {"dnat-ipv6", ATTR_DNAT_IPV6, 128, Kind::address},
    {"secctx", ATTR_SECCTX, 0, Kind::text, false},
    {"grp-orig-ipv4", ATTR_MAX, 0, Kind::group, false},
    {"grp-repl-ipv4", ATTR_MAX, 0, Kind::group, false},
    {"grp-orig-ipv6", ATTR_MAX, 0, Kind::group, false},
    {"grp-repl-ipv6", ATTR_MAX, 0, Kind::group, false},
    {"grp-orig-port", ATTR_MAX, 0, Kind::group, false},
    {"grp-repl-port", ATTR_MAX, 0, Kind::group, false},
    {"grp-icmp", ATTR_MAX, 0, Kind::group, false},
    {"grp-master-ipv4", ATTR_MAX, 0, Kind::group, false},
    {"grp-master-ipv6", ATTR_MAX, 0, Kind::group, false},
    {"grp-master-port", ATTR_MAX, 0, Kind::group, false},
    {"grp-orig-counters", ATTR_MAX, 0, Kind::group, false},
    {"grp-repl-counters", ATTR_MAX, 0, Kind::group, false},
    {"grp-orig-addr-src", ATTR_MAX, 0, Kind::group, false},
    {"grp-orig-addr-dst", ATTR_MAX, 0, Kind::group, false},
    {"grp-repl-addr-src", ATTR_MAX, 0, Kind::group, false},
    {"grp-repl-addr-dst", ATTR_MAX, 0, Kind::group, false},
    {"exp-master", ATTR_MAX, 0, Kind::group, false},
    {"exp-expected", ATTR_MAX, 0, Kind::group, false},
    {"exp-mask", ATTR_MAX, 0, Kind::group, false},
    {"exp-timeout", ATTR_MAX, 0, Kind::group, false},
    {"exp-zone", ATTR_MAX, 0, Kind::group, false},
    {"exp-flags", ATTR_MAX, 0, Kind::group, false},
    {"exp-helper-name", ATTR_MAX, 0, Kind::group, false},
    {"exp-class", ATTR_MAX, 0, Kind::group, false},
    {"exp-nat-tuple", ATTR_MAX, 0, Kind::group, false},
    {"exp-nat-dir", ATTR_MAX, 0, Kind::group, false},
    {"exp-fn", ATTR_MAX, 0, Kind::group, false},
};

constexpr Word protocols[] = {
    {"ip", 0},    {"hopopts", 0},  {"icmp", 1},      {"igmp", 2},      {"ipip", 4}, {"tcp", 6},
    {"egp", 8},   {"pup", 12},     {"udp", 17},      {"idp", 22},      {"tp", 29},  {"dccp", 33},
    {"ipv6", 41}, {"routing", 43}, {"fragment", 44}, {"rsvp", 46},     {"gre", 47}, {"esp", 50},
    {"ah", 51},   {"icmpv6", 58},  {"none", 59},     {"dstopts", 60},  {"mtp", 92}, {"encap", 98},
    {"pim", 103}, {"comp", 108},   {"sctp", 132},    {"udplite", 136}, {"raw", 255}};

} // namespace

const Attribute& check_attribute(lua_State* L, int index) {
    if (lua_type(L, index) != LUA_TSTRING) wrong_kind(L, index, "string");
    const std::string_view given = as_text(check_string(L, index));
    for (const Attribute& attribute : attributes)
        if (attribute.name == given) return attribute;
    bad_argument(L, index, lua_pushfstring(L, "invalid option '%s'", given.data()));
}

const Attribute& check_number_attribute(lua_State* L, int index) {
    const Attribute& attribute = check_attribute(L, index);
    const char* const name = attribute.name.data();
    if (attribute.kind == Kind::group)
        luaL_error(L, "attribute group '%s' cannot be read as a number", name);
    if (attribute.kind != Kind::number) luaL_error(L, "attribute '%s' is not a number", name);
    return attribute;
}

std::uint64_t read_attribute(const nf_conntrack* ct, const Attribute& attribute) {
    if (nfct_attr_is_set(ct, attribute.id) <= 0) return 0;
    const void* const value = nfct_get_attr(ct, attribute.id);
    if (value == nullptr) return 0;
    const auto copy = [value](auto number) -> std::uint64_t {
        std::memcpy(&number, value, sizeof number);
        return number;
    };
    switch (attribute.bits) {
    case 8:
        return copy(std::uint8_t{});
    case 16:
        return copy(std::uint16_t{});
    case 32:
        return copy(std::uint32_t{});
    default:
        return copy(std::uint64_t{});
    }
}

void write_attribute(nf_conntrack* ct, const Attribute& attribute, std::uint64_t value) {
    switch (attribute.bits) {
    case 8:
        return nfct_set_attr_u8(ct, attribute.id, static_cast<std::uint8_t>(value));
    case 16:
        return nfct_set_attr_u16(ct, attribute.id, static_cast<std::uint16_t>(value));
    case 32:
        return nfct_set_attr_u32(ct, attribute.id, static_cast<std::uint32_t>(value));
    default:
        return nfct_set_attr_u64(ct, attribute.id, value);
    }
}

std::span<const Word> protocol_words() {
    return protocols;
}

} // namespace nfqws2::lua

#endif
