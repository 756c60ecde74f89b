// The value of --lua-desync (docs/contracts/command-line.md#calls-of-functions), also as text.
#pragma once

#include "nfqws2/profile/profile.hpp"

#include <string>
#include <string_view>

namespace nfqws2::profile {

// --lua-desync=FUNC[:ARG[=VALUE]].... Throws BadValue ("bad identifier 'X'" and "invalid lua
// function call : V").
LuaInstance parse_lua_call(std::string_view text);

// Debug listing: profile 1 (noname) lua f(a="1" range_in=x0-x0 range_out=a0-a0 payload_type= all)
std::string describe(const Profile& profile, const LuaInstance& instance);

} // namespace nfqws2::profile
