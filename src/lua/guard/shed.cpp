// Theory of operation. The more idle half of the flows that are over or idle at all lose their
// `lua_state`: what a script may still need is kept longest, and if that was not enough the next
// half follows. Scripts know best what they can spare of the rest.
#include "shed.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/lua/state.hpp"

namespace nfqws2::lua {

namespace {

constexpr std::int64_t idle_ns = 500'000'000;

unsigned drop_idle_states(Host& host) {
    if (host.connections == nullptr) return 0;
    std::int64_t count = 0, mean_ns = 0;
    const auto with_state = [&host](const auto& visit) {
        host.connections->for_each_idle(idle_ns, [&](flow::Track& track) {
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
        drop_lua_state(host, track);
        dropped++;
    });
    return dropped;
}

// Arguments: the function, bytes in use, bytes allowed.
void run_functions(Host& host) {
    lua_State* L = host.L;
    if (host.memory_functions_ref == LUA_NOREF) return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, host.memory_functions_ref);
    const int functions = lua_gettop(L);
    for (int i = 1;; i++) {
        lua_rawgeti(L, functions, i);
        if (lua_isnil(L, -1)) break;
        lua_pushnumber(L, static_cast<lua_Number>(host.guard.used()));
        lua_pushnumber(L, static_cast<lua_Number>(host.guard.ceiling()));
        host.guard.enter_shortage();
        const bool good = lua_pcall(L, 2, 0, message_handler_index) == 0;
        host.guard.leave();
        if (!good) log_lua_error(L, "a function for short memory");
    }
    lua_settop(L, functions - 1);
}

} // namespace

void shed(Host& host) {
    const unsigned dropped = drop_idle_states(host);
    if (log::debug_enabled() && dropped != 0)
        log::debug("LUA: states of %u idle flows are dropped for lack of memory", dropped);
    run_functions(host);
}

} // namespace nfqws2::lua
