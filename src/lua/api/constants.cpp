#include "api/arguments.hpp"
#include "api/functions.hpp"

#include "nfqws2/base/log.hpp"

namespace nfqws2::lua {

namespace {

struct Constant {
    const char* name;
    std::uint32_t value;
};

constexpr Constant constants[] = {
    {"VERDICT_PASS", 0},
    {"VERDICT_MODIFY", 1},
    {"VERDICT_DROP", 2},
    {"VERDICT_MASK", 3},
    {"VERDICT_PRESERVE_NEXT", 4},

    {"DEFAULT_MSS", 1220},
    {"IP_BASE_LEN", 20},
    {"IP6_BASE_LEN", 40},
    {"TCP_BASE_LEN", 20},
    {"UDP_BASE_LEN", 8},
    {"ICMP_BASE_LEN", 8},

    {"TCP_KIND_END", 0},
    {"TCP_KIND_NOOP", 1},
    {"TCP_KIND_MSS", 2},
    {"TCP_KIND_SCALE", 3},
    {"TCP_KIND_SACK_PERM", 4},
    {"TCP_KIND_SACK", 5},
    {"TCP_KIND_TS", 8},
    {"TCP_KIND_MD5", 19},
    {"TCP_KIND_AO", 29},
    {"TCP_KIND_FASTOPEN", 34},

    {"TH_FIN", 0x01},
    {"TH_SYN", 0x02},
    {"TH_RST", 0x04},
    {"TH_PUSH", 0x08},
    {"TH_ACK", 0x10},
    {"TH_URG", 0x20},
    {"TH_ECE", 0x40},
    {"TH_CWR", 0x80},

    {"IP_RF", 0x8000},
    {"IP_DF", 0x4000},
    {"IP_MF", 0x2000},
    {"IP_OFFMASK", 0x1FFF},
    {"IP_FLAGMASK", 0xE000},

    {"IPTOS_ECN_MASK", 3},
    {"IPTOS_ECN_NOT_ECT", 0},
    {"IPTOS_ECN_ECT1", 1},
    {"IPTOS_ECN_ECT0", 2},
    {"IPTOS_ECN_CE", 3},
    {"IPTOS_DSCP_MASK", 0xFC},

    {"IP6F_MORE_FRAG", 1},
    {"IPV6_FLOWLABEL_MASK", 0xFFFFF},
    {"IPV6_FLOWINFO_MASK", 0xFFFFFFF},

    {"IPPROTO_IP", 0},
    {"IPPROTO_HOPOPTS", 0},
    {"IPPROTO_ICMP", 1},
    {"IPPROTO_IPIP", 4},
    {"IPPROTO_TCP", 6},
    {"IPPROTO_UDP", 17},
    {"IPPROTO_IPV6", 41},
    {"IPPROTO_ROUTING", 43},
    {"IPPROTO_FRAGMENT", 44},
    {"IPPROTO_ESP", 50},
    {"IPPROTO_AH", 51},
    {"IPPROTO_ICMPV6", 58},
    {"IPPROTO_NONE", 59},
    {"IPPROTO_DSTOPTS", 60},
    {"IPPROTO_SCTP", 132},
    {"IPPROTO_MH", 135},
    {"IPPROTO_HIP", 139},
    {"IPPROTO_SHIM6", 140},

    {"ICMP_ECHOREPLY", 0},
    {"ICMP_DEST_UNREACH", 3},
    {"ICMP_REDIRECT", 5},
    {"ICMP_ECHO", 8},
    {"ICMP_TIME_EXCEEDED", 11},
    {"ICMP_PARAMETERPROB", 12},
    {"ICMP_TIMESTAMP", 13},
    {"ICMP_TIMESTAMPREPLY", 14},
    {"ICMP_INFO_REQUEST", 15},
    {"ICMP_INFO_REPLY", 16},

    {"ICMP_UNREACH_NET", 0},
    {"ICMP_UNREACH_HOST", 1},
    {"ICMP_UNREACH_PROTOCOL", 2},
    {"ICMP_UNREACH_PORT", 3},
    {"ICMP_UNREACH_NEEDFRAG", 4},
    {"ICMP_UNREACH_SRCFAIL", 5},
    {"ICMP_UNREACH_NET_UNKNOWN", 6},
    {"ICMP_UNREACH_HOST_UNKNOWN", 7},
    {"ICMP_UNREACH_NET_PROHIB", 9},
    {"ICMP_UNREACH_HOST_PROHIB", 10},
    {"ICMP_UNREACH_TOSNET", 11},
    {"ICMP_UNREACH_TOSHOST", 12},
    {"ICMP_UNREACH_FILTER_PROHIB", 13},
    {"ICMP_UNREACH_HOST_PRECEDENCE", 14},
    {"ICMP_UNREACH_PRECEDENCE_CUTOFF", 15},

    {"ICMP_REDIRECT_NET", 0},
    {"ICMP_REDIRECT_HOST", 1},
    {"ICMP_REDIRECT_TOSNET", 2},
    {"ICMP_REDIRECT_TOSHOST", 3},

    {"ICMP_TIMXCEED_INTRANS", 0},
    {"ICMP_TIMXCEED_REASS", 1},

    {"ICMP6_DST_UNREACH", 1},
    {"ICMP6_PACKET_TOO_BIG", 2},
    {"ICMP6_TIME_EXCEEDED", 3},
    {"ICMP6_PARAM_PROB", 4},
    {"ICMP6_ECHO_REQUEST", 128},
    {"ICMP6_ECHO_REPLY", 129},
    {"MLD_LISTENER_QUERY", 130},
    {"MLD_LISTENER_REPORT", 131},
    {"MLD_LISTENER_REDUCTION", 132},
    {"ND_ROUTER_SOLICIT", 133},
    {"ND_ROUTER_ADVERT", 134},
    {"ND_NEIGHBOR_SOLICIT", 135},
    {"ND_NEIGHBOR_ADVERT", 136},
    {"ND_REDIRECT", 137},

    {"ICMP6_DST_UNREACH_NOROUTE", 0},
    {"ICMP6_DST_UNREACH_ADMIN", 1},
    {"ICMP6_DST_UNREACH_BEYONDSCOPE", 2},
    {"ICMP6_DST_UNREACH_ADDR", 3},
    {"ICMP6_DST_UNREACH_NOPORT", 4},

    {"ICMP6_TIME_EXCEED_TRANSIT", 0},
    {"ICMP6_TIME_EXCEED_REASSEMBLY", 1},

    {"ICMP6_PARAMPROB_HEADER", 0},
    {"ICMP6_PARAMPROB_NEXTHEADER", 1},
    {"ICMP6_PARAMPROB_OPTION", 2},
};

} // namespace

void register_constants(lua_State* L) {
    for (const Constant& constant : constants) {
        if (log::debug_enabled()) log::debug("LUA NUMERIC: %s = %u", constant.name, constant.value);
        push_int(L, constant.value);
        lua_setglobal(L, constant.name);
    }
}

} // namespace nfqws2::lua
