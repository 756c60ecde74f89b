// Handles of scripts that the program's loop polls, and whose callbacks it calls between batches of
// packets (nfct.attach, nfq.attach).
#pragma once

#include "nfqws2/lua/lua.hpp"

#include <cstddef>
#include <cstdint>
#include <poll.h>
#include <span>
#include <vector>

namespace nfqws2::lua {

class State;

class Attachments {
  public:
    static constexpr std::size_t most = 16;

    // Called within a protected call, with the handle at index 1, when there may be something to
    // receive. The result says what to do next (`more`: something is left that was received); an
    // error has the same effect as `more`.
    enum class Next : std::uint8_t { goes, stays, more };
    using Serve = Next (*)(lua_State* L, unsigned most);

    bool empty() const { return entries_.empty(); }
    bool full() const { return entries_.size() >= most; }
    bool has_more() const; // to serve without waiting
    // The userdata at `index`. One without a descriptor (-1) is served whenever others are. Raises
    // Lua's own errors.
    void add(lua_State* L, int index, int fd, Serve serve);
    bool has(const void* handle) const;
    void remove(lua_State* L, const void* handle); // nothing if it is not there

    // To be polled; what became ready is noted there.
    std::span<pollfd> polled() { return polled_; }
    // Calls what is ready, `events` of each at most; how many failed (logged).
    unsigned serve(State& state, unsigned events);

  private:
    struct Entry {
        const void* handle;
        int reference;
        Serve serve;
        bool more;
    };
    struct Errand;
    void make_callback(lua_State* L);
    bool serve_one(State& state, const Entry& entry, unsigned events);

    int callback_ = LUA_NOREF;
    std::vector<Entry> entries_;
    std::vector<pollfd> polled_; // one for each entry
};

} // namespace nfqws2::lua
