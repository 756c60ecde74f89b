#include "module/module.hpp"

#include "api/arguments.hpp"

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstring>
#include <ctime>
#include <poll.h>

namespace nfqws2::lua {
namespace {

constexpr double two_to_64 = 18446744073709551616.0, two_to_63 = 9223372036854775808.0;

constexpr Word families[] = {
    {"unspec", 0},   {"local", 1},     {"unix", 1},       {"file", 1},     {"inet", 2},
    {"ax25", 3},     {"ipx", 4},       {"appletalk", 5},  {"netrom", 6},   {"bridge", 7},
    {"atmpvc", 8},   {"x25", 9},       {"inet6", 10},     {"rose", 11},    {"decnet", 12},
    {"netbeui", 13}, {"security", 14}, {"key", 15},       {"netlink", 16}, {"route", 16},
    {"packet", 17},  {"ash", 18},      {"econet", 19},    {"atmsvc", 20},  {"rds", 21},
    {"sna", 22},     {"irda", 23},     {"pppox", 24},     {"wanpipe", 25}, {"llc", 26},
    {"can", 29},     {"tipc", 30},     {"bluetooth", 31}, {"iucv", 32},    {"rxrpc", 33},
    {"isdn", 34},    {"phonet", 35},   {"ieee802154", 36}};

const char* function_name(lua_State* L) {
    const char* name = lua_tostring(L, lua_upvalueindex(2));
    return name != nullptr ? name : "?";
}

// Its own name if it is an object of a module or a file.
const char* kind_of(lua_State* L, int index) {
    if (lua_type(L, index) == LUA_TUSERDATA && lua_getmetatable(L, index) != 0) {
        lua_pushliteral(L, "__name");
        lua_rawget(L, -2);
        if (lua_type(L, -1) == LUA_TSTRING) return lua_tostring(L, -1); // stays on the stack
        lua_pop(L, 2);
    }
    return luaL_typename(L, index);
}

} // namespace

void push_module_function(lua_State* L, State& state, const ModuleFunction& function) {
    lua_pushlightuserdata(L, &state);
    lua_pushstring(L, function.name);
    lua_pushcclosure(L, function.function, 2);
}

void add_functions(lua_State* L, State& state, std::span<const ModuleFunction> functions) {
    for (const ModuleFunction& function : functions) {
        push_module_function(L, state, function);
        lua_setfield(L, -2, function.name);
    }
}

void bad_argument(lua_State* L, int index, const char* what) {
    luaL_error(L, "bad argument #%d to '%s' (%s)", index, function_name(L), what);
    __builtin_unreachable();
}

void wrong_kind(lua_State* L, int index, const char* expected) {
    bad_argument(L, index, lua_pushfstring(L, "%s expected, got %s", expected, kind_of(L, index)));
}

unsigned check_word(lua_State* L, int index, std::span<const Word> words) {
    if (lua_type(L, index) != LUA_TSTRING) wrong_kind(L, index, "string");
    const std::string_view given = as_text(check_string(L, index));
    for (const Word& word : words)
        if (word.name == given) return word.value;
    bad_argument(L, index, lua_pushfstring(L, "invalid option '%s'", given.data()));
}

unsigned optional_word(lua_State* L, int index, std::span<const Word> words, unsigned otherwise) {
    return lua_isnoneornil(L, index) ? otherwise : check_word(L, index, words);
}

std::uint64_t check_number(lua_State* L, int index) {
    if (lua_isnumber(L, index) == 0) wrong_kind(L, index, "number");
#if LUA_VERSION_NUM >= 503
    int exact = 0;
    const lua_Integer whole = lua_tointegerx(L, index, &exact);
    if (exact != 0) return static_cast<std::uint64_t>(whole);
#endif
    const double value = std::trunc(lua_tonumber(L, index));
    if (!std::isfinite(value)) return 0;
    double rest = std::fmod(value, two_to_64);
    if (rest < 0) return std::uint64_t{0} - static_cast<std::uint64_t>(-rest);
    return static_cast<std::uint64_t>(rest);
}

void push_unsigned(lua_State* L, std::uint64_t value) {
    if (static_cast<double>(value) < two_to_63)
        push_int(L, static_cast<std::int64_t>(value));
    else
        lua_pushnumber(L, static_cast<lua_Number>(value));
}

void check_function(lua_State* L, int index) {
    if (!lua_isfunction(L, index)) wrong_kind(L, index, "function");
}

const char* check_literal(lua_State* L, int index) {
    if (lua_type(L, index) != LUA_TSTRING) wrong_kind(L, index, "string");
    const Bytes text = check_string(L, index);
    if (std::memchr(text.data(), 0, text.size()) != nullptr)
        bad_argument(L, index, "string contains zeros");
    return reinterpret_cast<const char*>(text.data());
}

int push_failure(lua_State* L, const char* message, int error) {
    lua_pushnil(L);
    lua_pushstring(L, message);
    push_int(L, error);
    return 3;
}

int push_failure(lua_State* L, int error) {
    return push_failure(L, error == EAGAIN ? "timeout" : std::strerror(error), error);
}

#if LUA_VERSION_NUM >= 502

void set_companion(lua_State* L, int index) {
    lua_setuservalue(L, index);
}

void push_companion(lua_State* L, int index) {
    lua_getuservalue(L, index);
}

#else

void set_companion(lua_State* L, int index) {
    lua_setfenv(L, index);
}

void push_companion(lua_State* L, int index) {
    lua_getfenv(L, index);
}

#endif

// The signals are held back except while waiting, so that none comes between the look and that.
bool wait_readable(State& state, int fd) {
    Guard& guard = state.guard();
    sigset_t held, before;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &held, &before);
    guard.suspend();
    pollfd poll{fd, POLLIN, 0};
    bool ready = false;
    while (!ready && !guard.interrupted()) {
        const int count = ppoll(&poll, 1, nullptr, &before);
        ready = count > 0 || (count < 0 && errno != EINTR); // receiving tells what is wrong
    }
    guard.resume();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return ready && !guard.interrupted();
}

int call_back(State& state, lua_State* L, int arguments, int results) {
    const Guard::Before before = state.guard().begin_inner();
    const int status = lua_pcall(L, arguments, results, 0);
    state.guard().end_inner(before);
    return status;
}

std::span<const Word> family_words() {
    return families;
}

} // namespace nfqws2::lua
