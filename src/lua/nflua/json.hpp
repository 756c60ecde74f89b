// `json`: texts to Lua values and back (docs/nflua.md#timer-and-json).
#pragma once

#include "nfqws2/lua/lua.hpp"

namespace nfqws2::lua {

// Pushes the module: encode, decode, isnull, null.
void push_json_module(lua_State* L);

} // namespace nfqws2::lua
