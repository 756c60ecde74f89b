// What scripts give up when memory is short.
#include "api/arguments.hpp"
#include "api/functions.hpp"
#include "guard/shed.hpp"

namespace nfqws2::lua {

namespace {

int on_memory_low(lua_State* L) {
    check_count(L, "on_memory_low", 1);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    state_of(L).shedder().add_function(L);
    return 0;
}

} // namespace

void register_memory_api(State& state) {
    static constexpr NativeFunction functions[] = {{"on_memory_low", on_memory_low}};
    register_functions(state, functions);
}

} // namespace nfqws2::lua
