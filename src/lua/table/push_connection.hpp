// `desync.ct`, and what ct_lookup() gives (docs/contracts/lua-bridge.md#desyncct).
#pragma once

#include "nfqws2/lua/lua.hpp"
#include "nfqws2/packet/connection.hpp"

namespace nfqws2::lua {

void push_facts(lua_State* L, const packet::CtFacts& facts);
// Without what belongs to a packet.
void push_connection(lua_State* L, packet::CtSource source, const packet::Connection& c);

} // namespace nfqws2::lua
