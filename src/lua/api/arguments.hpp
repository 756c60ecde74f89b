// What the native functions share: argument checks
// (docs/contracts/native-functions.md#arguments-and-results) and pushing results. Everything here
// may leave by a Lua error, so callers keep no object with a destructor alive around it.
#pragma once

#include "nfqws2/lua/lua.hpp"

#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

namespace nfqws2::lua {

// "NAME expect exactly K arguments, got N" / "NAME expect from A to B arguments, got N".
void check_count(lua_State* L, const char* name, int exactly);
void check_count(lua_State* L, const char* name, int from, int to);

// "EXPECTED expected, got T" about argument `index`.
[[noreturn]] void wrong_type(lua_State* L, int index, const char* expected);
// luaL_error, which does not say that it never returns.
[[noreturn]] void raise(lua_State* L, const char* message);

// A fraction is cut off, and what does not fit becomes INT64_MIN.
inline std::int64_t cut_to_int(double value) {
    constexpr double limit = 9223372036854775808.0; // 2^63
    if (!(value > -limit && value < limit)) return std::numeric_limits<std::int64_t>::min();
    return static_cast<std::int64_t>(value);
}
// Class `int`: numbers and numeric strings, before Lua 5.3 by cut_to_int().
std::int64_t check_int(lua_State* L, int index);
// Any value: what is not convertible gives 0.
std::int64_t to_int(lua_State* L, int index);
// check_int limited to [min, max], else the error "out of range".
std::int64_t check_range(lua_State* L, int index, std::int64_t min, std::int64_t max);

// Class `strict string`; the bytes live as long as the argument.
Bytes check_string(lua_State* L, int index);
// Class `loose string`: numbers are converted in place.
Bytes check_text(lua_State* L, int index);
// Nil and absent are empty.
Bytes optional_text(lua_State* L, int index);
// Nil, absent or a table, else a bad-argument error. True if it is a table.
bool check_optional_table(lua_State* L, int index);

inline std::string_view check_name(lua_State* L, int index) {
    return as_text(check_string(L, index));
}
// A loose string as C functions see it: it ends at the first NUL.
const char* check_c_text(lua_State* L, int index);

inline void push_int(lua_State* L, std::int64_t value) {
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, value);
#else
    lua_pushnumber(L, static_cast<lua_Number>(value));
#endif
}

// A number that scripts have made: without a fraction it is an integer again, where Lua tells them
// apart, so that it reads as "2" and not as "2.0".
inline void push_number(lua_State* L, double value) {
    constexpr double exact = 9007199254740992; // 2^53
    if (value >= -exact && value <= exact &&
        value == static_cast<double>(static_cast<std::int64_t>(value)))
        push_int(L, static_cast<std::int64_t>(value));
    else
        lua_pushnumber(L, value);
}

// Memory for n bytes, pushed onto the stack: Lua owns it, nothing is lost if an error is raised.
MutBytes push_memory(lua_State* L, std::int64_t n);

// table[-1].name = value
void set_int(lua_State* L, const char* name, std::int64_t value);
void set_text(lua_State* L, const char* name, std::string_view value);

} // namespace nfqws2::lua
