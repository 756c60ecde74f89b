// The file functions of Lua ask the gate (file_gate.hpp) first.
#pragma once

#include "nfqws2/lua/file_gate.hpp"
#include "nfqws2/lua/lua.hpp"

namespace nfqws2::lua {

// Puts the gate, which may be nullptr, in front of io.open, io.lines, io.input, io.output,
// os.remove, os.rename and loadfile, and so of what restrict_libraries() makes of the last one. It
// lives as long as the state. What would make the script wait when it is opened is refused too, and
// passed over by package.searchpath; so are more open files than the program can spare.
void guard_files(lua_State* L, const FileGate* gate);

} // namespace nfqws2::lua
