// The tables of flows that belong to scripts, `track.lua_state`: made when one is first shown, gone
// with the flow. They stand in one table of the registry, each under the number that the flow
// keeps.
#pragma once

#include "nfqws2/flow/connection_table.hpp"
#include "nfqws2/lua/lua.hpp"

namespace nfqws2::lua {

class FlowStates {
  public:
    void open(lua_State* L);
    int ref() const { return ref_; } // of the table, in the registry

    void need(lua_State* L, flow::Track& track) const;
    void drop(lua_State* L, flow::Track& track) const;

  private:
    int ref_ = LUA_NOREF;
};

} // namespace nfqws2::lua
