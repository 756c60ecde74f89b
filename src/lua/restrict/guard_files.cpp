#include "restrict/guard_files.hpp"

#include "restrict/entrance.hpp"

#include "nfqws2/base/file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nfqws2::lua {

namespace {

// Upvalues of every function here: the original, the gate or nullptr.
bool admits(lua_State* L, const char* path, FileUse use) {
    const auto* gate = static_cast<const FileGate*>(lua_touserdata(L, lua_upvalueindex(2)));
    return gate == nullptr || gate->admits(path, use);
}

int call_original(lua_State* L) {
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

// The original opens as it likes, and may raise an error.
int open_original(lua_State* L, const Entrance& entrance) {
    if (entrance.held < 0) return call_original(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    const bool good = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0) == 0;
    close(entrance.held);
    return good ? lua_gettop(L) : lua_error(L);
}

// As the original answers what the system refuses.
int refuse(lua_State* L, const char* path, int error = EACCES) {
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, std::strerror(error));
    lua_pushinteger(L, error);
    return 3;
}

int open(lua_State* L) {
    const char* path = luaL_checkstring(L, 1);
    const char* mode = luaL_optstring(L, 2, "r");
    const FileUse use = std::strpbrk(mode, "wa+") != nullptr ? FileUse::write : FileUse::read;
    if (!admits(L, path, use)) return refuse(L, path);
    const int one_way = use == FileUse::write ? O_WRONLY : O_RDONLY;
    const Entrance entrance = enter(path, std::strchr(mode, '+') != nullptr ? O_RDWR : one_way);
    return entrance.error != 0 ? refuse(L, path, entrance.error) : open_original(L, entrance);
}

int tmpfile(lua_State* L) {
    return has_room_for_file() ? call_original(L) : refuse(L, "a temporary file", EMFILE);
}

int remove(lua_State* L) {
    const char* path = luaL_checkstring(L, 1);
    return admits(L, path, FileUse::remove) ? call_original(L) : refuse(L, path);
}

int rename(lua_State* L) {
    const char* from = luaL_checkstring(L, 1);
    const char* to = luaL_checkstring(L, 2);
    if (!admits(L, from, FileUse::remove)) return refuse(L, from);
    return admits(L, to, FileUse::remove) ? call_original(L) : refuse(L, to);
}

int loadfile(lua_State* L) {
    const char* path = luaL_optstring(L, 1, nullptr);
    if (path == nullptr) return call_original(L);
    Entrance entrance{EACCES};
    if (admits(L, path, FileUse::read)) entrance = enter(path, O_RDONLY);
    // Reading is part of it, which no end of ours may hold up.
    if (entrance.held >= 0) close(entrance.held);
    if (entrance.fifo) entrance.error = ENXIO;
    if (entrance.error == 0) return call_original(L);
    lua_pushnil(L);
    lua_pushfstring(L, "cannot open %s: %s", path, std::strerror(entrance.error));
    return 2;
}

// loadfile() would refuse a pipe.
bool may_be_module(const char* path) {
    const FileDescriptor file(::open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat status {};
    return file && fstat(file.get(), &status) == 0 && !S_ISFIFO(status.st_mode);
}

// package.searchpath, and the search of `require`: the original waits at a pipe that nobody writes.
int search_path(lua_State* L) {
    const char* name = luaL_checkstring(L, 1);
    const char* path = luaL_checkstring(L, 2);
    const char* separator = luaL_optstring(L, 3, ".");
    const char* replacement = luaL_optstring(L, 4, "/");
    if (*separator != '\0') name = luaL_gsub(L, name, separator, replacement);
    lua_pushliteral(L, "");
    const int tried = lua_gettop(L);
    for (const char* end = path; *path != '\0'; path = end) {
        end = path + std::strcspn(path, ";");
        lua_pushlstring(L, path, static_cast<std::size_t>(end - path));
        end += std::strspn(end, ";");
        const char* file = luaL_gsub(L, lua_tostring(L, -1), "?", name);
        if (may_be_module(file)) return 1;
        // `require` of Lua 5.4 begins the line itself.
        const char* said = lua_tostring(L, tried);
        const bool begun = LUA_VERSION_NUM >= 504 && *said == '\0';
        lua_pushfstring(L, "%s%sno file '%s'", said, begun ? "" : "\n\t", file);
        lua_replace(L, tried);
        lua_settop(L, tried);
    }
    lua_pushnil(L);
    lua_insert(L, tried);
    return 2;
}

// io.lines, io.input and io.output take a name, a file or nothing, and raise what goes wrong.
int use_name(lua_State* L, FileUse use) {
    if (lua_type(L, 1) != LUA_TSTRING) return call_original(L);
    const char* path = lua_tostring(L, 1);
    Entrance entrance{EACCES};
    if (admits(L, path, use)) entrance = enter(path, use == FileUse::write ? O_WRONLY : O_RDONLY);
    if (entrance.error == 0) return open_original(L, entrance);
    return luaL_error(L, "%s: %s", path, std::strerror(entrance.error));
}

int read_name(lua_State* L) {
    return use_name(L, FileUse::read);
}

int write_name(lua_State* L) {
    return use_name(L, FileUse::write);
}

} // namespace

void guard_files(lua_State* L, const FileGate* gate) {
    static constexpr struct {
        const char* table;
        const char* name;
        lua_CFunction function;
    } guarded[] = {{"io", "open", open},
                   {"io", "lines", read_name},
                   {"io", "input", read_name},
                   {"io", "output", write_name},
                   {"io", "tmpfile", tmpfile},
                   {"os", "remove", remove},
                   {"os", "rename", rename},
                   {"_G", "loadfile", loadfile},
                   {"package", "searchpath", search_path}};
    for (const auto& g : guarded) {
        lua_getglobal(L, g.table);
        lua_getfield(L, -1, g.name);
        lua_pushlightuserdata(L, const_cast<FileGate*>(gate));
        lua_pushcclosure(L, g.function, 2);
        lua_setfield(L, -2, g.name);
        lua_pop(L, 1);
    }
}

} // namespace nfqws2::lua
