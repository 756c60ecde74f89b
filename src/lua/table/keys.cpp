#include "table/keys.hpp"

namespace nfqws2::lua {

namespace {

// In the registry, where references are positive.
constexpr int place_of_keys = -2;

constexpr const char* names[] = {
#define NFQWS2_KEY(name) #name,
    NFQWS2_KEYS(NFQWS2_KEY)
#undef NFQWS2_KEY
};

void make_keys(lua_State* L) {
    constexpr int count = sizeof names / sizeof *names;
    lua_createtable(L, count, 0);
    for (int i = 0; i < count; i++) {
        lua_pushstring(L, names[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushvalue(L, -1);
    lua_rawseti(L, LUA_REGISTRYINDEX, place_of_keys);
}

} // namespace

int push_keys(lua_State* L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, place_of_keys);
    if (!lua_istable(L, -1)) {
        lua_pop(L, 1);
        make_keys(L);
    }
    return lua_gettop(L);
}

} // namespace nfqws2::lua
