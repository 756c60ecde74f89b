// The arguments of an instance, as the function that is called finds them in `desync.arg`
// (docs/contracts/lua-bridge.md#arguments).
#include "nfqws2/lua/desync.hpp"

#include "nfqws2/base/log.hpp"

namespace nfqws2::lua {

bool Desync::push_arguments(const PreparedInstance& instance, int desync_index) {
    lua_State* L = state_.lua();
    lua_createtable(L, 0, static_cast<int>(instance.arguments.size()));
    for (const PreparedInstance::Argument& argument : instance.arguments) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, argument.name_ref);
        lua_rawgeti(L, LUA_REGISTRYINDEX, argument.value_ref);
        if (argument.substituted) {
            std::size_t size = 0;
            const char* text = lua_tolstring(L, -1, &size);
            if (!substitute(instance, {text, size}, desync_index)) return false;
            lua_remove(L, -2);
        }
        lua_rawset(L, -3);
    }
    return true;
}

// Pushes the substituted value.
bool Desync::substitute(const PreparedInstance&, std::string_view value, int desync_index) {
    lua_State* L = state_.lua();
    if (value[0] == '\\') {
        push(L, value.substr(1));
        return true;
    }
    const std::string_view name = value.substr(1);
    push(L, name);
    lua_gettable(L, desync_index);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_getglobal(L, name.data()); // the text of a Lua string ends with a NUL
    }
    if (lua_isnil(L, -1)) {
        substitute_error_ = "blob '" + std::string(name) + "' unavailable";
        log::error_text(substitute_error_);
        return false;
    }
    if (value[0] == '%') {
        if (lua_type(L, -1) == LUA_TNUMBER) lua_tostring(L, -1); // converts in place
        return true;
    }
    std::size_t size = 0;
    if (lua_type(L, -1) == LUA_TNUMBER || lua_type(L, -1) == LUA_TSTRING)
        lua_tolstring(L, -1, &size);
    else if (lua_istable(L, -1))
#if LUA_VERSION_NUM >= 502
        size = static_cast<std::size_t>(lua_rawlen(L, -1));
#else
        size = lua_objlen(L, -1);
#endif
    lua_pop(L, 1);
    push(L, std::to_string(size));
    return true;
}

} // namespace nfqws2::lua
