// What scripts give up when memory is short.
#include "arguments.hpp"

namespace nfqws2::lua {

namespace {

int on_memory_low(lua_State* L) {
    check_count(L, "on_memory_low", 1);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    Host& host = host_of(L);
    if (host.memory_functions_ref == LUA_NOREF) {
        lua_newtable(L);
        host.memory_functions_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, host.memory_functions_ref);
    int count = 1;
    for (;; count++) {
        lua_rawgeti(L, -1, count);
        const bool free = lua_isnil(L, -1);
        const bool known = lua_rawequal(L, -1, 1) != 0;
        lua_pop(L, 1);
        if (known) return 0;
        if (free) break;
    }
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, count);
    return 0;
}

} // namespace

void register_memory_api(Host& host) {
    static constexpr NativeFunction functions[] = {{"on_memory_low", on_memory_low}};
    register_functions(host, functions);
}

} // namespace nfqws2::lua
