// The module nfq (docs/nfq.md): queues that a script owns itself.
#pragma once

#include "module/module.hpp"

namespace nfqws2::lua {

// For package.preload; also sets the global `nfq`.
int open_nfq(lua_State* L);

} // namespace nfqws2::lua
