// The one place that includes the Lua headers, whichever engine the build chose, and the few shims
// that hide their differences (docs/contracts/lua-bridge.md#engines).
#pragma once

extern "C" {
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
}

#include "nfqws2/base/bytes.hpp"

#include <string_view>

namespace nfqws2::lua {

#if defined(LUA_JITLIBNAME) || defined(LUAJIT_VERSION_NUM)
inline constexpr bool is_luajit = true;
#else
inline constexpr bool is_luajit = false;
#endif

#ifndef lua_pushglobaltable // of Lua 5.2
inline void lua_pushglobaltable(lua_State* L) {
    lua_pushvalue(L, LUA_GLOBALSINDEX);
}
#endif

inline void push(lua_State* L, std::string_view s) {
    lua_pushlstring(L, s.data(), s.size());
}
inline void push(lua_State* L, Bytes b) {
    lua_pushlstring(L, reinterpret_cast<const char*>(b.data()), b.size());
}

} // namespace nfqws2::lua
