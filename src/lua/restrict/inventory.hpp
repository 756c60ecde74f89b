// What the engine may offer to scripts, by name. A later version of it may bring functions that
// reach memory or the system; nobody would notice if only names of known dangers were taken away.
#pragma once

#include "nfqws2/lua/lua.hpp"

namespace nfqws2::lua {

// Takes away every global, library function, loaded or preloaded module, and method of a builtin
// type that is not known to be harmless, and says so. After the known dangers are gone, before
// anything of ours is there.
void remove_unknown(lua_State* L);

} // namespace nfqws2::lua
