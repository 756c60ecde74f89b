// Theory of operation. The more idle half of the flows that are over or idle at all lose their
// `lua_state`: what a script may still need is kept longest, and if that was not enough the next
// half follows. Scripts know best what they can spare of the rest.
#include "guard/shed.hpp"

#include "errors.hpp"
#include "nfqws2/base/log.hpp"

namespace nfqws2::lua {

namespace {

constexpr std::int64_t idle_ns = 500'000'000;

} // namespace

void Shedder::add_function(lua_State* L) {
    const int function = lua_gettop(L);
    if (functions_ref_ == LUA_NOREF) {
        lua_newtable(L);
        functions_ref_ = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, functions_ref_);
    int count = 1;
    for (;; count++) {
        lua_rawgeti(L, -1, count);
        const bool free = lua_isnil(L, -1);
        const bool known = lua_rawequal(L, -1, function) != 0;
        lua_pop(L, 1);
        if (known || free) break;
    }
    lua_pushvalue(L, function);
    lua_rawseti(L, -2, count);
    lua_settop(L, function);
}

unsigned Shedder::drop_idle_states(lua_State* L) {
    if (connections_ == nullptr) return 0;
    std::int64_t count = 0, mean_ns = 0;
    const auto with_state = [this](const auto& visit) {
        connections_->for_each_idle(idle_ns, [&](flow::Track& track) {
            if (track.lua_ref() != flow::no_lua_ref) visit(track);
        });
    };
    with_state([&](const flow::Track& track) {
        count++;
        mean_ns += (track.last_ns() - mean_ns) / count;
    });
    unsigned dropped = 0;
    with_state([&](flow::Track& track) {
        if (track.last_ns() > mean_ns) return;
        states_.drop(L, track);
        dropped++;
    });
    return dropped;
}

// Arguments: the function, bytes in use, bytes allowed.
void Shedder::run_functions(lua_State* L) {
    if (functions_ref_ == LUA_NOREF) return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, functions_ref_);
    const int functions = lua_gettop(L);
    for (int i = 1;; i++) {
        lua_rawgeti(L, functions, i);
        if (lua_isnil(L, -1)) break;
        lua_pushnumber(L, static_cast<lua_Number>(guard_.used()));
        lua_pushnumber(L, static_cast<lua_Number>(guard_.ceiling()));
        guard_.enter_shortage();
        const bool good = lua_pcall(L, 2, 0, message_handler_index) == 0;
        guard_.leave();
        if (!good) log_lua_error(L, "a function for short memory");
    }
    lua_settop(L, functions - 1);
}

void Shedder::shed(lua_State* L) {
    const unsigned dropped = drop_idle_states(L);
    if (log::debug_enabled() && dropped != 0)
        log::debug("LUA: states of %u idle flows are dropped for lack of memory", dropped);
    run_functions(L);
}

} // namespace nfqws2::lua
