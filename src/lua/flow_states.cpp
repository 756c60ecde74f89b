#include "flow_states.hpp"

namespace nfqws2::lua {

void FlowStates::open(lua_State* L) {
    lua_newtable(L);
    ref_ = luaL_ref(L, LUA_REGISTRYINDEX);
}

void FlowStates::need(lua_State* L, flow::Track& track) const {
    if (track.lua_ref() != flow::no_lua_ref) return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref_);
    lua_newtable(L);
    track.set_lua_ref(luaL_ref(L, -2));
    lua_pop(L, 1);
}

void FlowStates::drop(lua_State* L, flow::Track& track) const {
    if (track.lua_ref() == flow::no_lua_ref) return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref_);
    luaL_unref(L, -1, track.lua_ref());
    lua_pop(L, 1);
    track.set_lua_ref(flow::no_lua_ref);
}

} // namespace nfqws2::lua
