// Timers (docs/contracts/lua-bridge.md#timers).
#include "api/arguments.hpp"
#include "api/functions.hpp"

#include <algorithm>
#include <limits>

namespace nfqws2::lua {

namespace {

constexpr std::int64_t min_period_ms = 10;

// Leaves the function on the stack; its name in `name` if it was given by one.
void push_timer_function(lua_State* L, int index, std::string_view* name) {
    if (lua_isfunction(L, index)) {
        lua_pushvalue(L, index);
        return;
    }
    if (lua_type(L, index) != LUA_TSTRING) luaL_error(L, "invalid timer function type");
    *name = check_name(L, index);
    lua_getglobal(L, name->data());
    if (!lua_isfunction(L, -1)) luaL_error(L, "timer function '%s' does not exist", name->data());
}

struct References {
    int name, func, data;
};

// Raises no error, since it holds strings: references are plain numbers.
bool create_timer(State& state, lua_State* L, std::string_view name, std::string_view func_name,
                  const References& references, std::int64_t period, bool oneshot) {
    const std::int64_t now = state.services().clock.boot_ms();
    Timer timer;
    timer.name = name;
    timer.func_name = func_name;
    timer.name_ref = references.name;
    timer.func_ref = references.func;
    timer.data_ref = references.data;
    timer.period_ms = std::min(period, std::numeric_limits<std::int64_t>::max() / 4);
    timer.next_ms = now + timer.period_ms;
    timer.oneshot = oneshot;
    if (state.timers().set(L, timer)) return true;
    timer.drop_references(L);
    return false;
}

int timer_set(lua_State* L) {
    check_count(L, "timer_set", 3, 5);
    lua_settop(L, 5);
    const std::string_view name = as_text(check_text(L, 1));
    const std::int64_t period = check_int(L, 3);
    if (period < min_period_ms) return luaL_error(L, "invalid timer period. must be >=10 ms");
    std::string_view func_name;
    push_timer_function(L, 2, &func_name);
    References references{};
    references.func = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 5);
    references.data = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 1);
    references.name = luaL_ref(L, LUA_REGISTRYINDEX);
    if (create_timer(state_of(L), L, name, func_name, references, period, lua_toboolean(L, 4)))
        return 0;
    return luaL_error(L, "not enough memory");
}

int timer_del(lua_State* L) {
    check_count(L, "timer_del", 1);
    lua_pushboolean(L, state_of(L).timers().remove(L, as_text(check_text(L, 1))));
    return 1;
}

int timer_info(lua_State* L) {
    check_count(L, "timer_info", 1);
    const Timer* timer = state_of(L).timers().find(as_text(check_text(L, 1)));
    if (timer == nullptr) {
        lua_pushnil(L);
        return 1;
    }
    // A finalizer that runs while the table is built may delete the timer.
    const std::int64_t period = timer->period_ms, fires = static_cast<std::int64_t>(timer->fires);
    const bool oneshot = timer->oneshot;
    lua_rawgeti(L, LUA_REGISTRYINDEX, timer->func_ref);
    lua_createtable(L, 0, 5);
    lua_pushvalue(L, 1);
    lua_setfield(L, -2, "name");
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "func");
    set_int(L, "period", period);
    lua_pushboolean(L, oneshot);
    lua_setfield(L, -2, "oneshot");
    set_int(L, "fires", fires);
    return 1;
}

int timer_enum(lua_State* L) {
    check_count(L, "timer_enum", 0);
    lua_newtable(L);
    int i = 0;
    // No finalizer can change the timers meanwhile: nothing here makes the collector take a step.
    // The visitor is small enough to be stored inside the function object.
    state_of(L).timers().for_each([L, &i](const Timer& timer) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, timer.name_ref);
        lua_rawseti(L, -2, ++i);
    });
    return 1;
}

} // namespace

void register_timer_api(State& state) {
    static constexpr NativeFunction functions[] = {
        {"timer_set", timer_set},
        {"timer_del", timer_del},
        {"timer_info", timer_info},
        {"timer_enum", timer_enum},
    };
    register_functions(state, functions);
}

} // namespace nfqws2::lua
