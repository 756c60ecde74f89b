// The desync function that is running right now, and what its `ctx` reaches.
#pragma once

#include "nfqws2/flow/connection_table.hpp"
#include "nfqws2/lua/state.hpp"
#include "nfqws2/profile/profile.hpp"

namespace nfqws2::lua {

class PacketConnection;

struct DesyncCall {
    flow::Track* track = nullptr;
    const profile::Profile* profile = nullptr;
    const profile::LuaInstance* instance = nullptr;
    bool outgoing = true;
    Bytes raw_packet;
    PacketConnection* connection = nullptr; // nullptr: --ct=off
    bool plan_cancelled = false;            // set by execution_plan_cancel
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

// Pushes the one userdata that stands for the running call, whichever that is.
void push_ctx(lua_State* L);
// The call that the first argument stands for, or an error.
DesyncCall& check_ctx(lua_State* L);

} // namespace nfqws2::lua
