// The desync function that is running right now, and what its `ctx` reaches.
#pragma once

#include "nfqws2/flow/connection_table.hpp"
#include "nfqws2/lua/state.hpp"
#include "nfqws2/profile/profile.hpp"

#include <cstdint>
#include <vector>

namespace nfqws2::lua {

class PacketConnection;

struct DesyncCall {
    flow::Track* track = nullptr;
    const profile::Profile* profile = nullptr;
    const profile::LuaInstance* instance = nullptr;
    bool outgoing = true;
    Bytes raw_packet;
    PacketConnection* connection = nullptr; // nullptr: --ct=off
    Bytes frame;                 // header of the link layer, as of Ethernet; empty: not known
    bool plan_cancelled = false; // set by execution_plan_cancel
    unsigned errors = 0;         // that were caught and logged
    // Where packet_replace() puts the packet that goes on instead, and whether it did.
    std::vector<std::uint8_t>* replacement = nullptr;
    bool replaced = false;
};

// The call runs as long as the scope lasts: that long is `ctx` good.
class CallScope {
  public:
    CallScope(State& state, DesyncCall& call) : state_(state) { state.running_call_ = &call; }
    ~CallScope() { state_.running_call_ = nullptr; }
    CallScope(const CallScope&) = delete;
    CallScope& operator=(const CallScope&) = delete;

  private:
    State& state_;
};

// The running call, if the argument is `ctx`; else raises an error.
DesyncCall& check_ctx(lua_State* L, int index = 1);
// What execution_plan_cancel() does.
void cancel_plan(DesyncCall& call);
// What packet_replace() does; raises an error if the bytes cannot be a packet.
void replace_packet(lua_State* L, DesyncCall& call, Bytes packet);

// Pushes the global of this name, nil if metatables would have to be asked; raises nothing.
void push_raw_global(lua_State* L, int name_ref);
// Whether the function that is the global of this name has called takes_merged(); raises nothing.
bool function_takes_merged(lua_State* L, int name_ref);

// Pushes the one userdata that stands for the running call, whichever that is.
void push_ctx(lua_State* L);

} // namespace nfqws2::lua
