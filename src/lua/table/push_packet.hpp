// Packets to Lua tables (docs/contracts/wire.md#the-dissect-table).
#pragma once

#include "nfqws2/packet/dissect.hpp"
#include "table/keys.hpp"

namespace nfqws2::lua {

// Pushes a dissect table.
void push_dissect(lua_State* L, const packet::Dissect& d);

// Each pushes the table of one header; `keys` is the index from push_keys.
void push_ipv4_table(lua_State* L, int keys, Bytes header);          // >= 20 bytes
void push_ipv6_table(lua_State* L, int keys, Bytes packet);          // >= 40 bytes
void push_tcp_table(lua_State* L, int keys, Bytes header);           // >= 20 bytes
void push_udp_table(lua_State* L, int keys, const std::uint8_t* p);  // 8 bytes
void push_icmp_table(lua_State* L, int keys, const std::uint8_t* p); // 8 bytes

} // namespace nfqws2::lua
