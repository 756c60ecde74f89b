#include "restrict/restrict.hpp"

#include "restrict/c_stack.hpp"
#include "restrict/inventory.hpp"
#include "table/builder.lua.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/lua/guard.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string_view>

namespace nfqws2::lua {

namespace {

void remove_field(lua_State* L, const char* table, const char* field) {
    lua_getglobal(L, table);
    if (lua_istable(L, -1)) {
        lua_pushstring(L, field);
        lua_pushnil(L);
        lua_rawset(L, -3);
    }
    lua_pop(L, 1);
}

void remove_from_package(lua_State* L, const char* table, const char* module) {
    lua_getglobal(L, "package");
    lua_getfield(L, -1, table);
    if (lua_istable(L, -1)) {
        lua_pushnil(L);
        lua_setfield(L, -2, module);
    }
    lua_pop(L, 2);
}

// package.loaders (5.1) / package.searchers (5.2+) are {preload, Lua file, C library, all-in-one};
// the last two load machine code.
void remove_c_searchers(lua_State* L) {
    lua_getglobal(L, "package");
    for (const char* name : {"loaders", "searchers"}) {
        lua_getfield(L, -1, name);
        if (lua_istable(L, -1)) {
            for (int i = 3; i <= 4; i++) {
                lua_pushnil(L);
                lua_rawseti(L, -2, i);
            }
        }
        lua_pop(L, 1);
    }
    lua_pushliteral(L, "");
    lua_setfield(L, -2, "cpath");
    lua_pop(L, 1);
}

bool is_bytecode(const char* data, std::size_t size) {
    return size > 0 && data[0] == '\x1b';
}

// load/loadstring in front of the original (upvalue 1). Text pieces of a reader function are
// checked by the mode argument, which every supported engine honours.
int safe_load(lua_State* L) {
    const int count = lua_gettop(L);
    std::size_t size = 0;
    if (count >= 1 && lua_type(L, 1) == LUA_TSTRING) {
        const char* data = lua_tolstring(L, 1, &size);
        if (is_bytecode(data, size)) {
            lua_pushnil(L);
            lua_pushliteral(L, "attempt to load a binary chunk (precompiled code is refused)");
            return 2;
        }
    }
    lua_settop(L, count < 4 ? 4 : count);
    lua_pushliteral(L, "t");
    lua_replace(L, 3);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    // A fourth argument that was not given must stay absent: PUC Lua treats nil as an environment.
    const int arguments = count >= 4 ? 4 : 3;
    lua_settop(L, 1 + arguments);
    lua_call(L, arguments, LUA_MULTRET);
    return lua_gettop(L);
}

int safe_loadfile(lua_State* L) {
    const int count = lua_gettop(L);
    lua_settop(L, count < 3 ? 3 : count);
    lua_pushliteral(L, "t");
    lua_replace(L, 2);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    const int arguments = count >= 3 ? 3 : 2;
    lua_settop(L, 1 + arguments);
    lua_call(L, arguments, LUA_MULTRET);
    return lua_gettop(L);
}

int safe_dofile(lua_State* L) {
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1)); // the original loadfile
    lua_pushvalue(L, 1);
    lua_pushliteral(L, "t");
    lua_call(L, 2, 2);
    if (lua_isnil(L, -2)) return lua_error(L);
    lua_pop(L, 1);
    lua_call(L, 0, LUA_MULTRET);
    return lua_gettop(L) - 1;
}

// The searcher of `require` for Lua files. Upvalues: the original loadfile, package, its
// searchpath.
int safe_searcher(lua_State* L) {
    const char* name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(3));
    lua_pushvalue(L, 1);
    lua_getfield(L, lua_upvalueindex(2), "path");
    lua_call(L, 2, 2);
    if (lua_isnil(L, -2)) return 1; // the names tried
    lua_settop(L, 2);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 2);
    lua_pushliteral(L, "t");
    lua_call(L, 2, 2);
    if (lua_isnil(L, -2))
        return luaL_error(L, "error loading module '%s' from file '%s':\n\t%s", name,
                          lua_tostring(L, 2), lua_tostring(L, -1));
    lua_pop(L, 1);
    lua_pushvalue(L, 2);
    return 2;
}

void replace_searcher(lua_State* L) {
    lua_getglobal(L, "package");
    const int package = lua_gettop(L);
    for (const char* name : {"loaders", "searchers"}) {
        lua_getfield(L, package, name);
        if (lua_istable(L, -1)) {
            lua_getglobal(L, "loadfile");
            lua_pushvalue(L, package);
            lua_getfield(L, package, "searchpath");
            lua_pushcclosure(L, safe_searcher, 3);
            lua_rawseti(L, -2, 2);
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

// Parameters of the compiler that it trusts: beyond these its 16 bit references would overflow, or
// memory that no limit counts would be taken.
constexpr struct {
    std::string_view name;
    long most;
} jit_parameters[] = {{"maxrecord", 12000}, {"maxirconst", 12000}, {"maxsnap", 2000},
                      {"maxtrace", 60000},  {"maxmcode", 65536},   {"sizemcode", 65536}};

// Machine code, in kilobytes, is not counted in the state's memory: an eighth beside it, and what
// the engine takes by itself.
long most_machine_code() {
    constexpr long usual = 2048;
    const Guard* guard = Guard::current();
    if (guard == nullptr || guard->ceiling() == 0) return std::numeric_limits<long>::max();
    return std::max(usual, static_cast<long>(guard->ceiling() / 8 / 1024));
}

// Refuses an option of jit.opt.start(), or puts a lesser one in its place.
void limit_option(lua_State* L, int index) {
    const std::string_view option = luaL_checkstring(L, index);
    const std::size_t equal = option.find('=');
    if (equal == std::string_view::npos) return;
    const std::string_view name = option.substr(0, equal);
    const long value = std::strtol(option.data() + equal + 1, nullptr, 10);
    for (const auto& parameter : jit_parameters)
        if (parameter.name == name && value > parameter.most)
            luaL_error(L, "jit.opt.start: '%s' is above the limit of %d", option.data(),
                       static_cast<int>(parameter.most));
    if (name != "maxmcode" || value <= most_machine_code()) return;
    lua_pushfstring(L, "maxmcode=%d", static_cast<int>(most_machine_code()));
    lua_replace(L, index);
}

// jit.opt.start(). Upvalue: the original.
int safe_opt_start(lua_State* L) {
    const int count = lua_gettop(L);
    for (int i = 1; i <= count; i++)
        limit_option(L, i);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, count, 0);
    return 0;
}

// setfenv() gives back the function it changed, so a level of the stack would hand out what calls a
// script: that of the program's own code too, when a metatable or a finalizer runs within. Upvalue:
// the original.
int safe_setfenv(lua_State* L) {
    lua_settop(L, 2);
    const int level = lua_isnumber(L, 1) ? static_cast<int>(lua_tointeger(L, 1)) : 0;
    lua_Debug frame{};
    if (level > 0) {
        if (!lua_getstack(L, level, &frame)) return luaL_argerror(L, 1, "invalid level");
        lua_getinfo(L, "fS", &frame);
        if (std::string_view(frame.source) == builder_chunk)
            return luaL_error(L, "'setfenv' cannot change environment of given object");
        lua_replace(L, 1);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 2, LUA_MULTRET);
    return lua_gettop(L);
}

// What jit.attach() really attaches. Upvalue: the script's function, which learns of the events and
// gets no function objects: those of the program's own code would be among them.
int event_without_functions(lua_State* L) {
    const int count = lua_gettop(L);
    for (int i = 1; i <= count; i++) {
        if (!lua_isfunction(L, i)) continue;
        lua_pushnil(L);
        lua_replace(L, i);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, count, 0);
    return 0;
}

// jit.attach(). Upvalues: the original, and what is attached for each function of a script. The
// other events hand out function prototypes and registers.
int safe_attach(lua_State* L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    const bool attaches = !lua_isnoneornil(L, 2);
    if (attaches && std::string_view(luaL_checkstring(L, 2)) != "trace")
        return luaL_error(L, "jit.attach: only the event 'trace' is allowed");
    lua_settop(L, 2);
    lua_pushvalue(L, 1);
    lua_rawget(L, lua_upvalueindex(2));
    if (lua_isnil(L, -1)) {
        if (!attaches) return 0;
        lua_pushvalue(L, 1);
        lua_pushcclosure(L, event_without_functions, 1);
        lua_pushvalue(L, 1);
        lua_pushvalue(L, -2);
        lua_rawset(L, lua_upvalueindex(2));
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);  // the original, function, event, ..., closure
    lua_replace(L, 2); // the closure in place of the function
    lua_settop(L, attaches ? 3 : 2);
    lua_call(L, attaches ? 2 : 1, 0);
    return 0;
}

// `true` stands for the calling function, which is a level farther away than the original thinks.
void name_caller(lua_State* L) {
    lua_Debug caller;
    if (!lua_isboolean(L, 1) || !lua_toboolean(L, 1) || !lua_getstack(L, 1, &caller)) return;
    lua_getinfo(L, "f", &caller);
    lua_replace(L, 1);
}

// jit.on() and jit.off(). Upvalue: the original.
template <bool on> int safe_turn(lua_State* L) {
    Guard* guard = Guard::current();
    const bool everything = lua_isnoneornil(L, 1);
    if (everything && guard != nullptr && !guard->compiler().follow_script(on)) return 0;
    name_caller(L);
    const int count = lua_gettop(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, count, 0);
    return 0;
}

void wrap_field(lua_State* L, const char* name, lua_CFunction wrapper) {
    lua_getfield(L, -1, name);
    lua_pushcclosure(L, wrapper, 1);
    lua_setfield(L, -2, name);
}

void restrict_jit(lua_State* L) {
    lua_getglobal(L, "jit");
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "attach");
        lua_newtable(L);
        lua_pushcclosure(L, safe_attach, 2);
        lua_setfield(L, -2, "attach");
        wrap_field(L, "on", safe_turn<true>);
        wrap_field(L, "off", safe_turn<false>);
        lua_getfield(L, -1, "opt"); // not there if the engine was built without the compiler
        if (lua_istable(L, -1)) wrap_field(L, "start", safe_opt_start);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

// A number like 1LL makes LuaJIT load the FFI and put it where `require` finds it, once. So that is
// done now. The library must not be collected: LuaJIT needs its finalizer table at lua_close.
void load_ffi(lua_State* L) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "ffi");
    if (lua_pcall(L, 1, 1, 0) == 0)
        luaL_ref(L, LUA_REGISTRYINDEX);
    else
        lua_pop(L, 1);
}

void wrap_global(lua_State* L, const char* name, const char* original, lua_CFunction wrapper) {
    lua_getglobal(L, original);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    lua_pushcclosure(L, wrapper, 1);
    lua_setglobal(L, name);
}

// The message of a syntax error is at the top: is it about an operator that came with Lua 5.3?
void hint_at_newer_syntax(lua_State* L) {
    constexpr std::string_view operators = "/&|~<>", near = "near '";
    const char* const text = lua_tostring(L, -1);
    const std::string_view message = text != nullptr ? text : "";
    const std::size_t at = message.rfind(near);
    if (at == message.npos || message.size() != at + near.size() + 2 ||
        operators.find(message[at + near.size()]) == operators.npos)
        return;
    lua_pushliteral(L, " (written for Lua 5.3? use the PUC Lua build)");
    lua_concat(L, 2);
}

} // namespace

void restrict_libraries(lua_State* L) {
    if (log::debug_enabled())
        log::debug("LUA REMOVE: os.execute io.popen package.loadlib debug package.loaded.debug");
    remove_field(L, "os", "execute");
    remove_field(L, "io", "popen");
    remove_field(L, "package", "loadlib");
    remove_from_package(L, "loaded", "debug");
    lua_pushnil(L);
    lua_setglobal(L, "debug");

    remove_c_searchers(L);
    replace_searcher(L);
    if (is_luajit) load_ffi(L);
    // A string.buffer hands out its memory as a pointer that nobody checks, OpenResty's
    // thread.exdata that of a coroutine.
    for (const char* module :
         {"ffi", "jit.util", "jit.profile", "string.buffer", "thread.exdata", "thread.exdata2"}) {
        remove_from_package(L, "loaded", module);
        remove_from_package(L, "preload", module);
    }
    restrict_jit(L);
    remove_unknown(L);
    bound_c_stack(L);

    wrap_global(L, "dofile", "loadfile", safe_dofile);
    wrap_global(L, "loadfile", "loadfile", safe_loadfile);
    lua_getglobal(L, "loadstring");
    const bool has_loadstring = !lua_isnil(L, -1);
    lua_pop(L, 1);
    if (has_loadstring) wrap_global(L, "loadstring", "loadstring", safe_load);
    wrap_global(L, "load", "load", safe_load);
    wrap_global(L, "setfenv", "setfenv", safe_setfenv);
}

bool load_text(lua_State* L, std::string_view source, const char* chunk_name) {
    if (is_bytecode(source.data(), source.size())) {
        lua_pushfstring(L, "%s: precompiled code is refused",
                        chunk_name[0] == '@' ? chunk_name + 1 : chunk_name);
        return false;
    }
    if (luaL_loadbufferx(L, source.data(), source.size(), chunk_name, "t") == 0) return true;
    if (is_luajit) hint_at_newer_syntax(L);
    return false;
}

} // namespace nfqws2::lua
