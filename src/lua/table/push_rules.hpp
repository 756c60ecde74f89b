// `desync.rules` (docs/lua-api.md#traffic-rules).
#pragma once

#include "nfqws2/lua/lua.hpp"
#include "nfqws2/rules/judge.hpp"

namespace nfqws2::lua {

void push_account(lua_State* L, const rules::Account& account);

} // namespace nfqws2::lua
