// Errors of scripts on their way to the log.
#pragma once

#include "nfqws2/lua/lua.hpp"

#include <string>

namespace nfqws2::lua {

// Stack index of the message handler that every protected call of ours names; it turns the error
// value into text and adds a traceback.
inline constexpr int message_handler_index = 1;
void push_message_handler(lua_State* L);

// Pops the error value left by a failed protected call and logs it: "LUA ERROR: <message>", then
// `where` (may be empty) and the traceback. Nothing if the error is the end that the program has
// given itself. Returns the message.
std::string log_lua_error(lua_State* L, const std::string& where);

// For lua_atpanic(): an error outside of every protected call ends the program.
int panic(lua_State* L);

} // namespace nfqws2::lua
