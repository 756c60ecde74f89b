// A program of its own (--lua-run, docs/nfq.md).
#include "errors.hpp"
#include "guard/collector.hpp"
#include "nfqws2/lua/state.hpp"

#include "nfqws2/base/log.hpp"

#include <algorithm>

namespace nfqws2::lua {
namespace {

constexpr const char* name_of_text = "lua-run"; // arg[0] where there is no file

// Modules that lie beside the script are found by `require`.
void add_to_path(lua_State* L, const std::string& file) {
    const std::size_t slash = std::min(file.rfind('/'), file.size());
    lua_getglobal(L, "package");
    if (lua_istable(L, -1)) {
        lua_pushlstring(L, file.data(), slash);
        lua_pushliteral(L, "/?.lua;");
        lua_getfield(L, -3, "path");
        if (lua_type(L, -1) != LUA_TSTRING) {
            lua_pop(L, 1);
            lua_pushliteral(L, "");
        }
        lua_concat(L, 3);
        lua_setfield(L, -2, "path");
    }
    lua_pop(L, 1);
}

// The chunk is at index 1; leaves its arguments behind it.
int push_words(lua_State* L, const Script& script) {
    const int count = static_cast<int>(script.words.size());
    luaL_checkstack(L, count + 8, "too many words behind --");
    lua_createtable(L, count, 1);
    lua_pushstring(L, script.code.is_file ? script.code.text.c_str() : name_of_text);
    lua_rawseti(L, -2, 0);
    for (int i = 0; i < count; i++) {
        push(L, script.words[static_cast<std::size_t>(i)]);
        lua_pushvalue(L, -1);
        lua_rawseti(L, 2, i + 1);
    }
    lua_pushvalue(L, 2);
    lua_setglobal(L, "arg");
    lua_remove(L, 2);
    return count;
}

} // namespace

ScriptEnd State::run_script(const Script& script) {
    lua_State* L = L_;
    lua_settop(L, message_handler_index);
    {
        const CollectorRest rest(L);
        lua_pushcfunction(L, [](lua_State* l) {
            const auto& what = *static_cast<const Script*>(lua_touserdata(l, 2));
            lua_settop(l, 1);
            if (what.code.is_file) add_to_path(l, what.code.text);
            const int count = push_words(l, what);
            lua_call(l, count, 0);
            return 0;
        });
    }
    if (!load(script.code)) return ScriptEnd::failed;
    lua_pushlightuserdata(L, const_cast<Script*>(&script));
    guard_.enter_script();
    const GuardScope scope(guard_);
    if (lua_pcall(L, 2, 0, message_handler_index) == 0) return ScriptEnd::done;
    if (guard_.interrupted()) {
        lua_pop(L, 1);
        return ScriptEnd::interrupted;
    }
    log_lua_error(L, "--lua-run");
    return ScriptEnd::failed;
}

} // namespace nfqws2::lua
