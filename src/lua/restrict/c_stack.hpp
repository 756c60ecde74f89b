// Functions of the engine that call a script's function and take room on the C stack for it. LuaJIT
// does not count how deep they nest, and the end of the C stack is the end of the process.
#pragma once

#include "nfqws2/lua/lua.hpp"

namespace nfqws2::lua {

// From now on nesting them too deep is an error of the script, "C stack overflow".
void bound_c_stack(lua_State* L);

} // namespace nfqws2::lua
