#include "nfqws2/lua/file_gate.hpp"

#include <cerrno>
#include <cstring>

namespace nfqws2::lua {

namespace {

// Upvalues of every function here: the original, the gate.
const FileGate& gate_of(lua_State* L) {
    return *static_cast<const FileGate*>(lua_touserdata(L, lua_upvalueindex(2)));
}

int call_original(lua_State* L) {
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

// As the original answers what the system refuses.
int refuse(lua_State* L, const char* path) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, std::strerror(EACCES));
    lua_pushinteger(L, EACCES);
    return 3;
}

int open(lua_State* L) {
    const char* path = luaL_checkstring(L, 1);
    const char* mode = luaL_optstring(L, 2, "r");
    const FileUse use = std::strpbrk(mode, "wa+") != nullptr ? FileUse::write : FileUse::read;
    return gate_of(L).admits(path, use) ? call_original(L) : refuse(L, path);
}

int remove(lua_State* L) {
    const char* path = luaL_checkstring(L, 1);
    return gate_of(L).admits(path, FileUse::remove) ? call_original(L) : refuse(L, path);
}

int rename(lua_State* L) {
    const char* from = luaL_checkstring(L, 1);
    const char* to = luaL_checkstring(L, 2);
    const FileGate& gate = gate_of(L);
    if (!gate.admits(from, FileUse::remove)) return refuse(L, from);
    return gate.admits(to, FileUse::remove) ? call_original(L) : refuse(L, to);
}

int loadfile(lua_State* L) {
    const char* path = luaL_optstring(L, 1, nullptr);
    if (path == nullptr || gate_of(L).admits(path, FileUse::read)) return call_original(L);
    lua_pushnil(L);
    lua_pushfstring(L, "cannot open %s: %s", path, std::strerror(EACCES));
    return 2;
}

// io.lines, io.input and io.output take a name, a file or nothing, and raise what goes wrong.
int use_name(lua_State* L, FileUse use) {
    if (lua_type(L, 1) == LUA_TSTRING && !gate_of(L).admits(lua_tostring(L, 1), use))
        return luaL_error(L, "%s: %s", lua_tostring(L, 1), std::strerror(EACCES));
    return call_original(L);
}

int read_name(lua_State* L) {
    return use_name(L, FileUse::read);
}

int write_name(lua_State* L) {
    return use_name(L, FileUse::write);
}

} // namespace

void guard_files(lua_State* L, const FileGate& gate) {
    static constexpr struct {
        const char* table;
        const char* name;
        lua_CFunction function;
    } guarded[] = {{"io", "open", open},        {"io", "lines", read_name},
                   {"io", "input", read_name},  {"io", "output", write_name},
                   {"os", "remove", remove},    {"os", "rename", rename},
                   {"_G", "loadfile", loadfile}};
    for (const auto& g : guarded) {
        lua_getglobal(L, g.table);
        lua_getfield(L, -1, g.name);
        lua_pushlightuserdata(L, const_cast<FileGate*>(&gate));
        lua_pushcclosure(L, g.function, 2);
        lua_setfield(L, -2, g.name);
        lua_pop(L, 1);
    }
}

} // namespace nfqws2::lua
