// Timers of Lua scripts (docs/contracts/lua-bridge.md#timers). Creation order decides among due
// timers; a change made by a callback restarts the visit with the same "now".
#pragma once

#include "nfqws2/lua/guard.hpp"
#include "nfqws2/lua/lua.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace nfqws2::lua {

struct Timer {
    std::string name;
    std::string func_name; // as given, "" when a function value was given
    // Of the name as a Lua string too: nothing that is pushed when it fires can run a finalizer.
    int name_ref = LUA_NOREF, func_ref = LUA_NOREF, data_ref = LUA_NOREF;
    std::int64_t period_ms = 0, next_ms = 0;
    std::uint64_t fires = 0;
    bool oneshot = false;

    void drop_references(lua_State* L) const;
    // What it takes outside of the Lua heap; the strings and the nodes of three trees.
    std::size_t memory() const { return 400 + 2 * name.size() + func_name.size(); }
};

class Timers {
  public:
    explicit Timers(Guard& guard);
    ~Timers();

    bool empty() const;
    // Creates at the end of the order; an existing one of that name is deleted first (its
    // references are released with luaL_unref). False: the guard has no memory for it, nothing
    // was changed.
    bool set(lua_State* L, Timer timer);
    bool remove(lua_State* L, std::string_view name);
    const Timer* find(std::string_view name) const;
    void for_each(const std::function<void(const Timer&)>& visit) const; // creation order

    std::int64_t next_due_ms() const; // boot ms of the earliest, INT64_MAX if none
    // One pass at time now_ms; a failing callback is logged ("LUA ERROR: ...") and deleted. Returns
    // the number of failed callbacks.
    unsigned run_due(lua_State* L, std::int64_t now_ms);
    void clear(lua_State* L);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace nfqws2::lua
