// Whether LuaJIT may compile. It does not survive an allocator that refuses memory while compiled
// code runs, so near the ceiling the compiler is shut: off, and compiled code forgotten. An engine
// without a compiler is always shut.
#pragma once

#include "nfqws2/lua/lua.hpp"

namespace nfqws2::lua {

class Compiler {
  public:
    bool is_shut() const { return shut_; }
    bool is_on() const { return !shut_ && wanted_; }
    // Not while compiled code runs.
    void shut(lua_State* L);
    void reopen(lua_State* L);

    // The function on top of the stack is never compiled itself; what it calls or defines may be.
    static void leave_out(lua_State* L);

    // A script's jit.on() or jit.off() for everything. False: it counts as soon as it is reopened.
    bool follow_script(bool on) {
        wanted_ = on;
        return !shut_ || !on;
    }

  private:
    bool shut_ = !is_luajit, wanted_ = true;
};

} // namespace nfqws2::lua
