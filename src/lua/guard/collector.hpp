#pragma once

#include "nfqws2/lua/lua.hpp"

namespace nfqws2::lua {

// The collector rests while the program works on the state between calls: a finalizer of a script
// would run there outside of every limit, and its error outside of a protected call.
class CollectorRest {
  public:
    explicit CollectorRest(lua_State* L) : L_(L) {
#ifdef LUA_GCISRUNNING // not in Lua 5.1
        was_running_ = lua_gc(L, LUA_GCISRUNNING, 0) != 0;
#endif
        lua_gc(L, LUA_GCSTOP, 0);
    }
    ~CollectorRest() {
        if (was_running_) lua_gc(L_, LUA_GCRESTART, as_after_a_cycle);
    }
    CollectorRest(const CollectorRest&) = delete;
    CollectorRest& operator=(const CollectorRest&) = delete;

  private:
    static constexpr int as_after_a_cycle = -1; // LuaJIT would begin one at once
    lua_State* L_;
    bool was_running_ = true; // a script may have stopped it
};

} // namespace nfqws2::lua
