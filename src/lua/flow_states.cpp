#include "flow_states.hpp"

namespace nfqws2::lua {

void FlowStates::open(lua_State* L) {
    lua_newtable(L);
    ref_ = luaL_ref(L, LUA_REGISTRYINDEX);
    static constexpr std::array<const char*, names> texts = {"learn", "host", "strategy", "why",
                                                             "result"};
    for (std::size_t i = 0; i < names; i++) {
        lua_pushstring(L, texts[i]);
        names_[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    }
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

int FlowStates::push_field(lua_State* L, Name name) const {
    lua_rawgeti(L, LUA_REGISTRYINDEX, names_[name]);
    lua_rawget(L, -2);
    return lua_type(L, -1);
}

std::string FlowStates::text_field(lua_State* L, Name name) const {
    std::string text;
    if (push_field(L, name) == LUA_TSTRING) {
        std::size_t size = 0;
        const char* data = lua_tolstring(L, -1, &size);
        text.assign(data, size);
    }
    lua_pop(L, 1);
    return text;
}

std::optional<Learned> FlowStates::learned(lua_State* L, const flow::Track& track) const {
    if (track.lua_ref() == flow::no_lua_ref) return std::nullopt;
    const int top = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref_);
    lua_rawgeti(L, -1, track.lua_ref());
    std::optional<Learned> found;
    if (lua_istable(L, -1) && push_field(L, learn) == LUA_TTABLE &&
        push_field(L, strategy) == LUA_TNUMBER) {
        const double number = lua_tonumber(L, -1);
        lua_pop(L, 1);
        if (number >= 0 && number <= UINT16_MAX)
            found = Learned{text_field(L, host), static_cast<unsigned>(number), text_field(L, why),
                            text_field(L, result)};
    }
    lua_settop(L, top);
    return found;
}

} // namespace nfqws2::lua
