#include "errors.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/lua/guard.hpp"

#include <cstdlib>

namespace nfqws2::lua {

namespace {

constexpr int max_traced_depth = 1000;

// Keeps the message on its own first line, the traceback follows.
int add_traceback(lua_State* L) {
    const char* message = lua_tostring(L, 1);
    if (message == nullptr) {
        lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
        message = lua_tostring(L, -1);
    }
    // After a stack overflow a traceback would overflow again, and PUC Lua walks the whole stack
    // for each of its lines.
    lua_Debug frame;
    if (lua_getstack(L, max_traced_depth, &frame))
        lua_pushstring(L, message);
    else
        luaL_traceback(L, L, message, 1);
    return 1;
}

} // namespace

void push_message_handler(lua_State* L) {
    lua_pushcfunction(L, add_traceback);
}

std::string log_lua_error(lua_State* L, const std::string& where) {
    std::string text;
    std::size_t size = 0;
    if (const char* p = lua_tolstring(L, -1, &size)) {
        text.assign(p, size);
    } else {
        text = std::string("(error object is a ") + luaL_typename(L, -1) + " value)";
    }
    lua_pop(L, 1);
    const std::size_t traceback = text.find("\nstack traceback:");
    std::string message = text.substr(0, traceback);
    Guard* const guard = Guard::current();
    if (guard != nullptr && guard->ends_quietly()) return message;
    log::error("LUA ERROR: %s", message.c_str());
    if (guard != nullptr && guard->take_refused())
        log::error("  the limit of %u MB is reached (--lua-mem-limit)",
                   guard->limits().memory_megabytes);
    if (!where.empty()) log::error("  in %s", where.c_str());
    // One traceback tells as much as a thousand: scripts that fail do so for every packet.
    static thread_local log::RateLimit limit(1000);
    if (traceback != std::string::npos && limit.allow())
        log::error("%s", text.c_str() + traceback + 1);
    return message;
}

int panic(lua_State* L) {
    const char* message = lua_tostring(L, -1);
    log::error("LUA ERROR: %s", message != nullptr ? message : "(no message)");
    log::error("LUA PANIC: THIS IS FATAL. DYING.");
    std::_Exit(100);
}

} // namespace nfqws2::lua
