// What the modules behind `require` share: functions that know their name, so that messages have it
// however they were called; arguments; failures as the original modules give them.
#pragma once

#include "nfqws2/lua/state.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace nfqws2::lua {

struct ModuleFunction {
    const char* name;
    lua_CFunction function;
};

inline State& module_state(lua_State* L) {
    return *static_cast<State*>(lua_touserdata(L, lua_upvalueindex(1)));
}
void push_module_function(lua_State* L, State& state, const ModuleFunction& function);
// To the table at the top.
void add_functions(lua_State* L, State& state, std::span<const ModuleFunction> functions);

// "bad argument #1 to 'open' (WHAT)"
[[noreturn]] void bad_argument(lua_State* L, int index, const char* what);
// "EXPECTED expected, got KIND"
[[noreturn]] void wrong_kind(lua_State* L, int index, const char* expected);

struct Word {
    std::string_view name;
    unsigned value;
};
// One of the words, exactly; "invalid option 'X'".
unsigned check_word(lua_State* L, int index, std::span<const Word> words);
// Nil and nothing are `otherwise`.
unsigned optional_word(lua_State* L, int index, std::span<const Word> words, unsigned otherwise);

// A number without its fraction, modulo 2^64 (negative ones too).
std::uint64_t check_number(lua_State* L, int index);
void push_unsigned(lua_State* L, std::uint64_t value);
void check_function(lua_State* L, int index);
const char* check_literal(lua_State* L, int index); // a string without zero bytes

// nil, message, errno
int push_failure(lua_State* L, int error);
int push_failure(lua_State* L, const char* message, int error);
// The first argument again, which calls can be chained with.
inline int push_first(lua_State* L) {
    lua_pushvalue(L, 1);
    return 1;
}

// A table that belongs to the userdata at `index`: what it refers to can be collected with it.
void set_companion(lua_State* L, int index); // pops it
void push_companion(lua_State* L, int index);

// Waits until the descriptor is readable. False: the program is to end, raise INTERRUPT.
bool wait_readable(State& state, int fd);
// Calls the function with its arguments at the top under the limit of a call; as lua_pcall.
int call_back(State& state, lua_State* L, int arguments, int results);

// Address families of the system (AF_*), by all of their names.
std::span<const Word> family_words();

} // namespace nfqws2::lua
