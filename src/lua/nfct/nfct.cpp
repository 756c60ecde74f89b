#include "nfct/nfct.hpp"

#include "nfct/objects.hpp"

namespace nfqws2::lua {

#if NFQWS2_HAVE_NFCT

int open_nfct(lua_State* L) {
    State& state = module_state(L);
    make_kind<CtHandle>(L, state, handle_text);
    make_kind<Conntrack>(L, state, conntrack_text);
    make_kind<Expectation>(L, state, expectation_text);
    lua_newtable(L);
    for (const auto part :
         {handle_functions(), conntrack_functions(), expectation_functions(), query_functions()})
        add_functions(L, state, part);
    lua_pushvalue(L, -1);
    lua_setglobal(L, "nfct");
    return 1;
}

#else

int open_nfct(lua_State* L) {
    return luaL_error(L, "module 'nfct' is not part of this build");
}

#endif

} // namespace nfqws2::lua
