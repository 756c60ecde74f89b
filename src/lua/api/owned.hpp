// Results with a destructor while they are made into Lua values. A frame of a native function may
// be left by longjmp, and whenever something is pushed a finalizer of the script may run that calls
// the same function: so a result belongs to the call, as a userdata on its stack, which the
// collector frees if nobody does before.
#pragma once

#include "nfqws2/lua/lua.hpp"

#include <new>

namespace nfqws2::lua {

// To scripts the metatable at the top is this name: what is in it trusts its argument.
inline void hide_metatable(lua_State* L, const char* name) {
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable");
}

template <typename T> int destroy_owned(lua_State* L) {
    static_cast<T*>(lua_touserdata(L, 1))->~T();
    return 0;
}

template <typename T> T& push_owned(lua_State* L) {
    static char tag; // a metatable for each type
    void* const memory = lua_newuserdata(L, sizeof(T));
    lua_pushlightuserdata(L, &tag);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 2);
        lua_pushcfunction(L, destroy_owned<T>);
        lua_setfield(L, -2, "__gc");
        hide_metatable(L, "owned");
        lua_pushlightuserdata(L, &tag);
        lua_pushvalue(L, -2);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    T& result = *::new (memory) T();
    lua_setmetatable(L, -2);
    return result;
}

// The memory of a text or vector that has served: the collector sees a small object and would take
// its time.
template <typename T> void free_owned(T& owned) {
    T().swap(owned);
}

} // namespace nfqws2::lua
