// The machine, files and time (docs/contracts/native-functions.md#the-machine-files-time).
#include "api/arguments.hpp"
#include "api/functions.hpp"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <limits>

namespace nfqws2::lua {

namespace {

int uname(lua_State* L) {
    check_count(L, "uname", 0);
    utsname names;
    if (::uname(&names) != 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 5);
    set_text(L, "sysname", names.sysname);
    set_text(L, "nodename", names.nodename);
    set_text(L, "release", names.release);
    set_text(L, "version", names.version);
    set_text(L, "machine", names.machine);
    return 1;
}

int clock_gettime(lua_State* L) {
    check_count(L, "clock_gettime", 0);
    const std::int64_t now = state_of(L).services().clock.unix_ns();
    push_int(L, now / 1'000'000'000);
    push_int(L, now % 1'000'000'000);
    return 2;
}

int clock_getfloattime(lua_State* L) {
    check_count(L, "clock_getfloattime", 0);
    const std::int64_t now = state_of(L).services().clock.unix_ns();
    const std::int64_t seconds = now / 1'000'000'000, rest = now % 1'000'000'000;
    lua_pushnumber(L, static_cast<lua_Number>(seconds) + static_cast<lua_Number>(rest) * 1e-9);
    return 1;
}

int getpid(lua_State* L) {
    check_count(L, "getpid", 0);
    push_int(L, ::getpid());
    return 1;
}

int gettid(lua_State* L) {
    check_count(L, "gettid", 0);
    push_int(L, ::syscall(SYS_gettid));
    return 1;
}

const char* file_type(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG:
        return "file";
    case S_IFDIR:
        return "dir";
    case S_IFSOCK:
        return "socket";
    case S_IFBLK:
        return "blockdev";
    case S_IFCHR:
        return "chardev";
    case S_IFIFO:
        return "fifo";
    default:
        return "unknown";
    }
}

int stat(lua_State* L) {
    check_count(L, "stat", 1);
    const char* path = check_c_text(L, 1);
    struct stat info;
    if (::stat(path, &info) != 0) {
        const int error = errno;
        lua_pushnil(L);
        lua_pushstring(L, std::strerror(error));
        push_int(L, error);
        return 3;
    }
    lua_createtable(L, 0, 5);
    set_text(L, "type", file_type(info.st_mode));
    set_int(L, "size", info.st_size);
    lua_pushnumber(L, static_cast<lua_Number>(info.st_mtim.tv_sec) +
                          static_cast<lua_Number>(info.st_mtim.tv_nsec) * 1e-9);
    lua_setfield(L, -2, "mtime");
    set_int(L, "inode", static_cast<std::int64_t>(info.st_ino));
    set_int(L, "dev", static_cast<std::int64_t>(info.st_dev));
    return 1;
}

using BreakDown = tm* (*)(const time_t*, tm*);

int break_down(lua_State* L, const char* name, BreakDown function) {
    check_count(L, name, 1);
    const std::int64_t wanted = check_int(L, 1);
    const auto when = static_cast<time_t>(wanted);
    tm parts{};
    if (when != wanted || function(&when, &parts) == nullptr) {
        lua_pushnil(L);
        return 1;
    }
    const std::int64_t year = std::int64_t{parts.tm_year} + 1900;
    char text[64];
    std::snprintf(text, sizeof text, "%02d.%02d.%04lld %02d:%02d:%02d", parts.tm_mday,
                  parts.tm_mon + 1, static_cast<long long>(year), parts.tm_hour, parts.tm_min,
                  parts.tm_sec);
    lua_createtable(L, 0, 11);
    set_int(L, "sec", parts.tm_sec);
    set_int(L, "min", parts.tm_min);
    set_int(L, "hour", parts.tm_hour);
    set_int(L, "mday", parts.tm_mday);
    set_int(L, "mon", parts.tm_mon);
    set_int(L, "year", year);
    set_int(L, "wday", parts.tm_wday);
    set_int(L, "yday", parts.tm_yday);
    set_int(L, "isdst", parts.tm_isdst);
    set_text(L, "zone", parts.tm_zone != nullptr ? parts.tm_zone : "");
    set_text(L, "str", text);
    return 1;
}

int gmtime(lua_State* L) {
    return break_down(L, "gmtime", ::gmtime_r);
}

int localtime(lua_State* L) {
    return break_down(L, "localtime", ::localtime_r);
}

// A field of the time table; `base` is subtracted. Values that no time can have end at the limits,
// where the conversion fails.
int time_field(lua_State* L, const char* name, int base = 0) {
    lua_getfield(L, 1, name);
    if (lua_type(L, -1) != LUA_TNUMBER) luaL_error(L, "invalid tm.%s", name);
    const std::int64_t value = to_int(L, -1);
    lua_pop(L, 1);
    constexpr std::int64_t min = std::numeric_limits<int>::min(),
                           max = std::numeric_limits<int>::max();
    if (value < min + base) return min;
    return static_cast<int>(value - base > max ? max : value - base);
}

int put_together(lua_State* L, const char* name, time_t (*function)(tm*)) {
    check_count(L, name, 1);
    if (!lua_istable(L, 1)) return luaL_error(L, "invalid tm structure");
    tm parts{};
    parts.tm_sec = time_field(L, "sec");
    parts.tm_min = time_field(L, "min");
    parts.tm_hour = time_field(L, "hour");
    parts.tm_mday = time_field(L, "mday");
    parts.tm_mon = time_field(L, "mon");
    parts.tm_year = time_field(L, "year", 1900);
    parts.tm_isdst = time_field(L, "isdst");
    const time_t when = function(&parts);
    if (when == -1)
        lua_pushnil(L);
    else
        push_int(L, when);
    return 1;
}

int timegm(lua_State* L) {
    return put_together(L, "timegm", ::timegm);
}

int timelocal(lua_State* L) {
    return put_together(L, "timelocal", ::mktime);
}

} // namespace

void register_system_api(State& state) {
    static constexpr NativeFunction functions[] = {
        {"uname", uname},
        {"clock_gettime", clock_gettime},
        {"clock_getfloattime", clock_getfloattime},
        {"getpid", getpid},
        {"gettid", gettid},
        {"stat", stat},
        {"gmtime", gmtime},
        {"localtime", localtime},
        {"timegm", timegm},
        {"timelocal", timelocal},
    };
    register_functions(state, functions);
}

} // namespace nfqws2::lua
