// What a Lua state can do without when its memory is short.
#pragma once

#include "nfqws2/lua/host.hpp"

namespace nfqws2::lua {

// Between calls. Drops states of flows that are over or idle, and runs the functions that scripts
// have given to on_memory_low().
void shed(Host& host);

} // namespace nfqws2::lua
