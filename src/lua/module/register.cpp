// What `require` finds without a file. A module nobody asks for costs its entry in this table.
#include "api/functions.hpp"
#include "nfct/nfct.hpp"
#include "nfq/nfq.hpp"

namespace nfqws2::lua {

void register_modules(State& state) {
    lua_State* L = state.lua();
    static constexpr ModuleFunction modules[] = {{"nfct", open_nfct}, {"nfq", open_nfq}};
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    for (const ModuleFunction& module : modules) {
        push_module_function(L, state, module);
        lua_setfield(L, -2, module.name);
    }
    lua_pop(L, 2);
}

} // namespace nfqws2::lua
