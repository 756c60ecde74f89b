#include "restrict/inventory.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/sort.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::lua {

namespace {

// All supported engines together, OpenResty's LuaJIT included. Each name stands between blanks.
constexpr std::string_view globals =
    " _G _VERSION assert bit bit32 collectgarbage coroutine dofile error gcinfo getfenv "
    "getmetatable"
    " io ipairs jit load loadfile loadstring math module newproxy next os package pairs pcall print"
    " rawequal rawget rawlen rawset require select setfenv setmetatable string table tonumber"
    " tostring type unpack utf8 warn xpcall ";

constexpr std::string_view modules =
    " _G bit bit32 coroutine io jit jit.opt math os package string table utf8 ";

// Modules that `require` makes at its first call.
constexpr std::string_view preloaded =
    " table.new table.clear table.clone table.isarray table.isempty table.nkeys ";

constexpr struct {
    const char* name;
    std::string_view fields;
} libraries[] = {
    {"bit", " arshift band bnot bor bswap bxor lshift rol ror rshift tobit tohex "},
    {"bit32", " arshift band bnot bor btest bxor extract lrotate lshift replace rrotate rshift "},
    {"coroutine", " close create isyieldable resume running status wrap yield "},
    {"io", " close flush input lines open output read stderr stdin stdout tmpfile type write "},
    {"jit", " arch attach flush off on opt os prngstate security status version version_num "},
    {"jit.opt", " start "},
    {"math",
     " abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10"
     " max maxinteger min mininteger mod modf pi pow rad random randomseed sin sinh sqrt tan"
     " tanh tointeger type ult "},
    {"os", " clock date difftime exit getenv remove rename setlocale time tmpname "},
    {"package", " config cpath loaded loaders path preload searchers searchpath seeall "},
    {"string", " byte char dump find format gfind gmatch gsub len lower match pack packsize rep"
               " reverse sub unpack upper "},
    {"table", " clear clone concat foreach foreachi getn insert isarray isempty maxn move new nkeys"
              " pack remove setn sort unpack "},
    {"utf8", " char charpattern codepoint codes len offset "},
};

constexpr std::string_view file_methods =
    " close flush lines read seek setvbuf write __close __gc __index __name __tostring ";

// Operators reach nothing but the value's own arithmetic.
constexpr std::string_view string_metamethods =
    " __add __div __idiv __index __mod __mul __pow __sub __unm __name ";

bool knows(std::string_view list, std::string_view name) {
    if (name.find(' ') != std::string_view::npos) return false;
    return list.find(" " + std::string(name) + " ") != std::string_view::npos;
}

void tell(std::string_view of, std::string_view name) {
    log::status("LUA: '%.*s' of %.*s is not known to this program and is kept from scripts",
                static_cast<int>(name.size()), name.data(), static_cast<int>(of.size()), of.data());
}

// Leaves in the table at the top what the list names.
void filter_top(lua_State* L, std::string_view of, std::string_view list) {
    std::vector<std::string> unknown;
    bool other_keys = false;
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING)
            other_keys = true;
        else if (!knows(list, lua_tostring(L, -1)))
            unknown.emplace_back(lua_tostring(L, -1));
    }
    sort_stably(unknown); // the table's order changes from start to start
    for (const std::string& name : unknown) {
        tell(of, name);
        lua_pushlstring(L, name.data(), name.size());
        lua_pushnil(L);
        lua_rawset(L, -3);
    }
    while (other_keys) { // what no version of any engine has
        other_keys = false;
        lua_pushnil(L);
        while (lua_next(L, -2) != 0) {
            lua_pop(L, 1);
            if (lua_type(L, -1) == LUA_TSTRING) continue;
            lua_pushnil(L);
            lua_rawset(L, -3);
            other_keys = true;
            break;
        }
    }
}

void filter_registered(lua_State* L, const char* table, std::string_view list) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, table);
    if (lua_istable(L, -1)) filter_top(L, std::string("package.") + table, list);
    lua_pop(L, 2);
}

void filter_libraries(lua_State* L) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaded");
    for (const auto& library : libraries) {
        lua_getfield(L, -1, library.name);
        if (lua_istable(L, -1)) {
            filter_top(L, library.name, library.fields);
            // A metatable could offer what the table no longer has.
            if (lua_getmetatable(L, -1) != 0) {
                lua_pop(L, 1);
                tell(library.name, "the metatable");
                lua_pushnil(L);
                lua_setmetatable(L, -2);
            }
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 2);
}

// A value of a type whose values share one metatable, and what that may contain; empty: there is
// none in any engine.
void filter_type(lua_State* L, const char* type, std::string_view list) {
    if (lua_getmetatable(L, -1) != 0) {
        if (list.empty()) {
            lua_pop(L, 1);
            tell(type, "the metatable");
            lua_pushnil(L);
            lua_setmetatable(L, -2);
        } else {
            filter_top(L, type, list);
            lua_pop(L, 1);
        }
    }
    lua_pop(L, 1);
}

int nothing(lua_State*) {
    return 0;
}

// LuaJIT's numbers like 1LL have a metatable whose content scripts must not see.
void hide_cdata_metatable(lua_State* L) {
    if (luaL_loadstring(L, "return 1LL") != 0 || lua_pcall(L, 0, 1, 0) != 0) {
        lua_pop(L, 1);
        return;
    }
    if (lua_getmetatable(L, -1) != 0) {
        lua_pushliteral(L, "ffi");
        lua_setfield(L, -2, "__metatable");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

void filter_types(lua_State* L) {
    lua_pushnil(L);
    filter_type(L, "nil", "");
    lua_pushboolean(L, 1);
    filter_type(L, "booleans", "");
    lua_pushnumber(L, 1);
    filter_type(L, "numbers", "");
    lua_pushlightuserdata(L, L);
    filter_type(L, "light userdata", "");
    lua_pushcfunction(L, nothing);
    filter_type(L, "functions", "");
    lua_pushthread(L);
    filter_type(L, "coroutines", "");
    lua_pushliteral(L, "");
    filter_type(L, "strings", string_metamethods);
    if (is_luajit) hide_cdata_metatable(L);
}

void filter_files(lua_State* L) {
    luaL_getmetatable(L, LUA_FILEHANDLE);
    if (lua_istable(L, -1)) {
        filter_top(L, "files", file_methods);
        lua_getfield(L, -1, "__index");
        if (lua_istable(L, -1)) filter_top(L, "files", file_methods);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

} // namespace

void remove_unknown(lua_State* L) {
    const int top = lua_gettop(L);
    filter_registered(L, "loaded", modules);
    filter_registered(L, "preload", preloaded);
    filter_libraries(L);
    filter_types(L);
    filter_files(L);
    lua_getglobal(L, "_G");
    filter_top(L, "_G", globals);
    lua_settop(L, top);
}

} // namespace nfqws2::lua
