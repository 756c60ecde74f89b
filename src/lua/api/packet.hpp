// Rebuilding for the native functions.
#pragma once

#include "table/read_packet.hpp"

namespace nfqws2::lua {

// As rebuild(), into the buffer of the state; failures are raised.
Bytes check_rebuild(lua_State* L, int index, const RebuildOptions& options);

} // namespace nfqws2::lua
