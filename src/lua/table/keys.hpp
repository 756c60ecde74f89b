// The field names of packet tables, and of what goes with each packet that is shown or sent, as
// preinterned Lua strings: they stand in one registry table, so that setting or reading a field
// neither hashes nor compares text.
#pragma once

#include "nfqws2/lua/lua.hpp"

namespace nfqws2::lua {

// clang-format off
#define NFQWS2_KEYS(X) \
    X(l4proto) X(transport_len) X(l3_len) X(l4_len) X(payload) X(frag_off) \
    X(ip) X(ip6) X(tcp) X(udp) X(icmp) X(options) X(exthdr) X(kind) X(data) X(type) X(next) \
    X(ip_v) X(ip_hl) X(ip_tos) X(ip_len) X(ip_id) X(ip_off) X(ip_ttl) X(ip_p) X(ip_sum) \
    X(ip_src) X(ip_dst) \
    X(ip6_flow) X(ip6_plen) X(ip6_nxt) X(ip6_hlim) X(ip6_src) X(ip6_dst) \
    X(th_sport) X(th_dport) X(th_seq) X(th_ack) X(th_x2) X(th_off) X(th_flags) X(th_win) \
    X(th_sum) X(th_urp) \
    X(uh_sport) X(uh_dport) X(uh_ulen) X(uh_sum) \
    X(icmp_type) X(icmp_code) X(icmp_cksum) X(icmp_data) \
    X(arg) X(func) X(func_n) X(func_instance) \
    X(repeats) X(fwmark) X(ifout) X(keepsum) X(badsum) X(ip6_preserve_next) X(ip6_last_proto)
// clang-format on

// Positions in the registry table.
enum class Key : int {
    none,
#define NFQWS2_KEY(name) name,
    NFQWS2_KEYS(NFQWS2_KEY)
#undef NFQWS2_KEY
};

// Pushes the table of names, making it when it is first wanted, and returns its stack index.
int push_keys(lua_State* L);

inline void push_key(lua_State* L, int keys, Key key) {
    lua_rawgeti(L, keys, static_cast<int>(key));
}

// As lua_getfield(), with an absolute index of the table.
inline void get_field(lua_State* L, int keys, int table, Key key) {
    push_key(L, keys, key);
    lua_gettable(L, table);
}

} // namespace nfqws2::lua
