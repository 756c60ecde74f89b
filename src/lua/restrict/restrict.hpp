// What scripts may not have: running programs, loading native libraries, FFI, bytecode
// (docs/contracts/lua-bridge.md#what-scripts-may-not-have).
#pragma once

#include "nfqws2/lua/lua.hpp"

#include <string_view>

namespace nfqws2::lua {

// Removes os.execute, io.popen, package.loadlib, debug, ffi and the C searchers; `load`,
// `loadstring`, `loadfile` and `dofile` refuse precompiled chunks.
void restrict_libraries(lua_State* L);

// Loads source text (never bytecode) and leaves the chunk on the stack; false: the error value is
// there instead.
bool load_text(lua_State* L, std::string_view source, const char* chunk_name);

} // namespace nfqws2::lua
