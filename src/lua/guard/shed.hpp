// Gives up what can be done without when memory is short (shed.cpp).
#pragma once

#include "flow_states.hpp"
#include "nfqws2/lua/guard.hpp"

namespace nfqws2::lua {

class Shedder {
  public:
    // `connections`: nullptr if there are none.
    Shedder(Guard& guard, const FlowStates& states, flow::ConnectionTable* connections)
        : guard_(guard), states_(states), connections_(connections) {}

    // The function at the top of the stack is called from now on; one that is known already is not
    // added again. It stays on the stack.
    void add_function(lua_State* L);
    void shed(lua_State* L);

  private:
    unsigned drop_idle_states(lua_State* L);
    void run_functions(lua_State* L);

    Guard& guard_;
    const FlowStates& states_;
    flow::ConnectionTable* connections_;
    int functions_ref_ = LUA_NOREF; // those of on_memory_low(), in a list
};

} // namespace nfqws2::lua
