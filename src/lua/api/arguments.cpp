#include "api/arguments.hpp"

#include "api/functions.hpp"

#include <cmath>
#include <limits>

namespace nfqws2::lua {

void check_count(lua_State* L, const char* name, int exactly) {
    const int count = lua_gettop(L);
    if (count != exactly)
        luaL_error(L, "%s expect exactly %d arguments, got %d", name, exactly, count);
}

void check_count(lua_State* L, const char* name, int from, int to) {
    const int count = lua_gettop(L);
    if (count < from || count > to)
        luaL_error(L, "%s expect from %d to %d arguments, got %d", name, from, to, count);
}

void wrong_type(lua_State* L, int index, const char* expected) {
    luaL_argerror(L, index,
                  lua_pushfstring(L, "%s expected, got %s", expected, luaL_typename(L, index)));
    __builtin_unreachable();
}

void raise(lua_State* L, const char* message) {
    luaL_error(L, "%s", message);
    __builtin_unreachable();
}

#if LUA_VERSION_NUM >= 503

std::int64_t check_int(lua_State* L, int index) {
    return luaL_checkinteger(L, index);
}

std::int64_t to_int(lua_State* L, int index) {
    return lua_tointeger(L, index);
}

#else

std::int64_t check_int(lua_State* L, int index) {
    return cut_to_int(luaL_checknumber(L, index));
}

std::int64_t to_int(lua_State* L, int index) {
    return cut_to_int(lua_tonumber(L, index));
}

#endif

std::int64_t check_range(lua_State* L, int index, std::int64_t min, std::int64_t max) {
    const std::int64_t value = check_int(L, index);
    if (value < min || value > max) luaL_error(L, "out of range");
    return value;
}

Bytes check_string(lua_State* L, int index) {
    if (lua_type(L, index) != LUA_TSTRING) wrong_type(L, index, "string");
    return check_text(L, index);
}

Bytes check_text(lua_State* L, int index) {
    std::size_t size = 0;
    const char* data = luaL_checklstring(L, index, &size);
    return {reinterpret_cast<const std::uint8_t*>(data), size};
}

Bytes optional_text(lua_State* L, int index) {
    if (lua_isnoneornil(L, index)) return {};
    return check_text(L, index);
}

bool check_optional_table(lua_State* L, int index) {
    if (lua_isnoneornil(L, index)) return false;
    if (!lua_istable(L, index)) wrong_type(L, index, "table");
    return true;
}

const char* check_c_text(lua_State* L, int index) {
    return luaL_checkstring(L, index);
}

MutBytes push_memory(lua_State* L, std::int64_t n) {
    const auto size = static_cast<std::size_t>(n);
    if (static_cast<std::uint64_t>(n) > std::numeric_limits<std::size_t>::max() / 2)
        luaL_error(L, "not enough memory");
    if (!state_of(L).guard().has_room(size)) luaL_error(L, "not enough memory");
    // Some engines give no address for zero bytes.
    auto* data = static_cast<std::uint8_t*>(lua_newuserdata(L, size != 0 ? size : 1));
    return {data, size};
}

void set_int(lua_State* L, const char* name, std::int64_t value) {
    push_int(L, value);
    lua_setfield(L, -2, name);
}

void set_text(lua_State* L, const char* name, std::string_view value) {
    push(L, value);
    lua_setfield(L, -2, name);
}

} // namespace nfqws2::lua
