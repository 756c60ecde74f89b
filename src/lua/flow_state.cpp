// The table of a flow that belongs to the scripts, `track.lua_state`.
#include "nfqws2/lua/host.hpp"

namespace nfqws2::lua {

int need_lua_state(lua_State* L, Host& host, flow::Track& track) {
    if (track.lua_ref() != flow::no_lua_ref) return track.lua_ref();
    lua_rawgeti(L, LUA_REGISTRYINDEX, host.states_ref);
    lua_newtable(L);
    track.set_lua_ref(luaL_ref(L, -2));
    lua_pop(L, 1);
    return track.lua_ref();
}

void drop_lua_state(Host& host, flow::Track& track) {
    if (track.lua_ref() == flow::no_lua_ref) return;
    lua_State* L = host.L;
    if (L != nullptr) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, host.states_ref);
        luaL_unref(L, -1, track.lua_ref());
        lua_pop(L, 1);
    }
    track.set_lua_ref(flow::no_lua_ref);
}

} // namespace nfqws2::lua
