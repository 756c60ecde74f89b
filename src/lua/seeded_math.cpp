// The engines' own generators do not give the same numbers everywhere: each engine has another one,
// and LuaJIT's is seeded through floating point arithmetic. One seed must mean one result on every
// processor and with every engine. Only integers are computed with here, for the same reason.
#include "seeded_math.hpp"

#include "api/functions.hpp"

#include <bit>

namespace nfqws2::lua {

namespace {

[[noreturn]] void empty_interval(lua_State* L, int index) {
    luaL_argerror(L, index, "interval is empty");
    __builtin_unreachable();
}

// Uniform in 0..most.
std::uint64_t draw(Random& random, std::uint64_t most) {
    // As many high bits as the largest number has: at least every other draw fits.
    const int surplus = std::countl_zero(most);
    if (surplus == 64) return 0;
    for (;;) {
        const std::uint64_t drawn = random.next64() >> surplus;
        if (drawn <= most) return drawn;
    }
}

#if LUA_VERSION_NUM >= 503

void push_between(lua_State* L, int last) {
    const lua_Integer low = last == 1 ? 1 : luaL_checkinteger(L, 1);
    const lua_Integer high = luaL_checkinteger(L, last);
    Random& random = state_of(L).services().random;
#if LUA_VERSION_NUM >= 504
    if (last == 1 && high == 0) { // all bits random
        lua_pushinteger(L, static_cast<lua_Integer>(random.next64()));
        return;
    }
#endif
    if (low > high) empty_interval(L, last);
    const auto begin = static_cast<std::uint64_t>(low);
    const std::uint64_t drawn = draw(random, static_cast<std::uint64_t>(high) - begin);
    lua_pushinteger(L, static_cast<lua_Integer>(begin + drawn));
}

#else

// Bounds may be fractions: the results are low, low + 1, ... up to high.
void push_between(lua_State* L, int last) {
    constexpr lua_Number most = 9007199254740992.0; // 2^53: so far numbers count in ones
    const lua_Number low = last == 1 ? 1 : luaL_checknumber(L, 1);
    const lua_Number span = luaL_checknumber(L, last) - low;
    if (!(span >= 0)) empty_interval(L, last);
    const auto steps = static_cast<std::uint64_t>(span < most ? span : most);
    lua_pushnumber(L, low + static_cast<lua_Number>(draw(state_of(L).services().random, steps)));
}

#endif

int random_number(lua_State* L) {
    const int count = lua_gettop(L);
    if (count > 2) return luaL_error(L, "wrong number of arguments");
    if (count > 0)
        push_between(L, count);
    else
        lua_pushnumber(L, static_cast<lua_Number>(state_of(L).services().random.next64() >> 11) *
                              0x1p-53);
    return 1;
}

} // namespace

void seed_math_library(State& state) {
    lua_State* L = state.lua();
    lua_getglobal(L, "math");
    lua_pushlightuserdata(L, &state);
    lua_pushcclosure(L, random_number, 1);
    lua_setfield(L, -2, "random");
    lua_pushcfunction(L, [](lua_State*) { return 0; });
    lua_setfield(L, -2, "randomseed");
    lua_pop(L, 1);
}

} // namespace nfqws2::lua
