// Logging by scripts (docs/contracts/native-functions.md#logging). The text ends at the first NUL.
#include "api/arguments.hpp"
#include "api/functions.hpp"

#include "nfqws2/base/log.hpp"

namespace nfqws2::lua {

namespace {

int dlog(lua_State* L) {
    check_count(L, "DLOG", 1);
    const char* text = check_c_text(L, 1);
    if (log::debug_enabled()) log::debug("LUA: %s", text);
    return 0;
}

int dlog_err(lua_State* L) {
    check_count(L, "DLOG_ERR", 1);
    log::error("LUA: %s", check_c_text(L, 1));
    return 0;
}

int dlog_condup(lua_State* L) {
    check_count(L, "DLOG_CONDUP", 1);
    log::status("LUA: %s", check_c_text(L, 1));
    return 0;
}

} // namespace

void register_log_api(State& state) {
    static constexpr NativeFunction functions[] = {
        {"DLOG", dlog},
        {"DLOG_ERR", dlog_err},
        {"DLOG_CONDUP", dlog_condup},
    };
    register_functions(state, functions);
}

} // namespace nfqws2::lua
