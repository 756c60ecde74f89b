#include "nflua/conditions.hpp"

#include "api/arguments.hpp"
#include "desync_call.hpp"
#include "nflua/host.hpp"

#include <algorithm>
#include <cmath>

namespace nfqws2::lua {

namespace {

char readers_tag; // of the table function -> what reads its arguments, in the registry

// conditions(f, read): read(arguments) gives the conditions of an instance of f: bits of the match
// mask of which one has to be set (0: none), whether it has to be TCP with payload, whether later
// instances do not run for a packet that is refused. An error: the function is to be called. For
// good, so that no other function gets the address of f.
[[gnu::cold]] int conditions(lua_State* L) {
    for (const int index : {1, 2})
        luaL_checktype(L, index, LUA_TFUNCTION);
    lua_settop(L, 2);
    lua_pushlightuserdata(L, &readers_tag);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushlightuserdata(L, &readers_tag);
        lua_pushvalue(L, -2);
        lua_rawset(L, LUA_REGISTRYINDEX);
    }
    lua_insert(L, 1);
    lua_rawset(L, 1);
    return 0;
}

// match_mask([new]): the mask of the state.
int match_mask(lua_State* L) {
    std::uint32_t& mask = state_of(L).nflua().match_mask;
    if (!lua_isnoneornil(L, 1)) mask = static_cast<std::uint32_t>(check_range(L, 1, 0, UINT32_MAX));
    push_int(L, mask);
    return 1;
}

[[gnu::cold]] void push_plain_arguments(lua_State* L, const PreparedInstance& instance) {
    lua_createtable(L, 0, static_cast<int>(instance.arguments.size()));
    for (const PreparedInstance::Argument& argument : instance.arguments) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, argument.name_ref);
        lua_rawgeti(L, LUA_REGISTRYINDEX, argument.value_ref);
        lua_rawset(L, -3);
    }
}

// Of the function at the top, with the arguments of the instance.
[[gnu::cold]] Conditions read_conditions(lua_State* L, const PreparedInstance& instance) {
    Conditions read{.function = lua_topointer(L, -1)};
    if (std::ranges::any_of(instance.arguments, &PreparedInstance::Argument::substituted))
        return read;
    const int top = lua_gettop(L);
    lua_pushlightuserdata(L, &readers_tag);
    lua_rawget(L, LUA_REGISTRYINDEX);
    if (lua_istable(L, -1)) {
        lua_pushvalue(L, top);
        lua_rawget(L, -2);
    }
    if (lua_isfunction(L, -1)) {
        push_plain_arguments(L, instance);
        const bool done = lua_pcall(L, 1, 3, 0) == 0;
        const double mask = done ? lua_tonumber(L, -3) : -1;
        if (mask >= 0 && mask <= UINT32_MAX && mask == std::floor(mask)) {
            read.mask = static_cast<std::uint32_t>(mask);
            read.tcp_payload = lua_toboolean(L, -2);
            read.ends_plan = lua_toboolean(L, -1);
        }
    }
    lua_settop(L, top);
    return read;
}

} // namespace

bool conditions_refuse(State& state, PreparedInstance& instance, const packet::Dissect* dis) {
    const NfluaHost& host = state.nflua();
    Conditions& known = instance.conditions;
    if (!host.enabled || known.none()) return false;
    lua_State* L = state.lua();
    push_raw_global(L, instance.func_ref);
    const void* const function = lua_topointer(L, -1);
    if (known.function == nullptr && function != nullptr) known = read_conditions(L, instance);
    lua_pop(L, 1);
    if (function == nullptr || function != known.function) return false;
    if (known.mask != 0 && (known.mask & host.match_mask) == 0) return true;
    return known.tcp_payload && dis != nullptr &&
           (dis->l4 != packet::L4::tcp || dis->payload.empty());
}

std::span<const NativeFunction> condition_functions() {
    static constexpr NativeFunction functions[] = {{"conditions", conditions},
                                                   {"match_mask", match_mask}};
    return functions;
}

} // namespace nfqws2::lua
