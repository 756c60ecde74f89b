// The module nfct (docs/nfq.md): the kernel's connections.
#pragma once

#include "module/module.hpp"

namespace nfqws2::lua {

// For package.preload; also sets the global `nfct`. Without the library: an error.
int open_nfct(lua_State* L);

} // namespace nfqws2::lua
