#include "restrict/c_stack.hpp"

#include <cstddef>

namespace nfqws2::lua {

namespace {

// About 120 levels of string.gsub. What else nests is bounded by the Lua stack of one coroutine,
// and must fit on top of this: a thread has 8 MB.
constexpr std::ptrdiff_t most_bytes = 1024 * 1024;

// The stack grows down from the highest place at which one of these functions was called.
constinit thread_local const char* highest = nullptr;

void check_depth(lua_State* L) {
    const char* here = static_cast<const char*>(__builtin_frame_address(0));
    if (here > highest) highest = here;
    if (highest - here > most_bytes) luaL_error(L, "C stack overflow");
}

// Upvalue: the original, called with the same arguments.
int call_original(lua_State* L) {
    check_depth(L);
    const int count = lua_gettop(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, count, LUA_MULTRET);
    return lua_gettop(L);
}

// Classic C functions without upvalues run in the wrapper's own frame, so that their messages about
// arguments name them. Upvalue: the original.
int run_original(lua_State* L) {
    check_depth(L);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

int wrap(lua_State* L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    lua_pushcclosure(L, call_original, 1);
    return 1;
}

constexpr struct {
    const char* library;
    const char* name;
    lua_CFunction bounded;
} nesting[] = {{"string", "gsub", run_original},
               {"coroutine", "resume", call_original},
               {"coroutine", "wrap", wrap}};

} // namespace

void bound_c_stack(lua_State* L) {
    if (!is_luajit) return; // PUC Lua counts
    for (const auto& function : nesting) {
        lua_getglobal(L, function.library);
        lua_getfield(L, -1, function.name);
        lua_pushcclosure(L, function.bounded, 1);
        lua_setfield(L, -2, function.name);
        lua_pop(L, 1);
    }
}

} // namespace nfqws2::lua
