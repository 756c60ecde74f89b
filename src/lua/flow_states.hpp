// The tables of flows that belong to scripts, `track.lua_state`: made when one is first shown, gone
// with the flow. They stand in one table of the registry, each under the number that the flow
// keeps.
#pragma once

#include "nfqws2/flow/connection_table.hpp"
#include "nfqws2/lua/learned.hpp"
#include "nfqws2/lua/lua.hpp"

#include <array>

namespace nfqws2::lua {

class FlowStates {
  public:
    void open(lua_State* L);
    int ref() const { return ref_; } // of the table, in the registry

    void need(lua_State* L, flow::Track& track) const;
    void drop(lua_State* L, flow::Track& track) const;
    // Reads without a call of a script's, without an allocation and so without an error.
    std::optional<Learned> learned(lua_State* L, const flow::Track& track) const;

  private:
    enum Name { learn, host, strategy, why, result, names };

    int push_field(lua_State* L, Name name) const; // of the table at the top; its type
    std::string text_field(lua_State* L, Name name) const;

    int ref_ = LUA_NOREF;
    std::array<int, names> names_{};
};

} // namespace nfqws2::lua
