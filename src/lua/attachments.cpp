#include "nfqws2/lua/attachments.hpp"

#include "errors.hpp"
#include "module/module.hpp"
#include "nfqws2/lua/state.hpp"

#include <algorithm>

namespace nfqws2::lua {

struct Attachments::Errand {
    Serve serve;
    unsigned events;
    Next next;
};

// What is called for each event is made once, where scripts may be collected and errors raised. (To
// stop the collector meanwhile would put its next cycle off with each event.)
void Attachments::make_callback(lua_State* L) {
    if (callback_ != LUA_NOREF) return;
    push_module_function(L, module_state(L), {"callback", [](lua_State* l) {
                                                  Errand& what =
                                                      *static_cast<Errand*>(lua_touserdata(l, 2));
                                                  what.next = what.serve(l, what.events);
                                                  return 0;
                                              }});
    callback_ = luaL_ref(L, LUA_REGISTRYINDEX);
}

// The vectors are large enough before the reference is made, which may raise an error.
void Attachments::add(lua_State* L, int index, int fd, Serve serve) {
    make_callback(L);
    entries_.reserve(most);
    polled_.reserve(most);
    lua_pushvalue(L, index);
    const void* const handle = lua_touserdata(L, -1);
    const int reference = luaL_ref(L, LUA_REGISTRYINDEX);
    entries_.push_back({handle, reference, serve, true}); // it may have received something
    polled_.push_back({fd, POLLIN, 0});
}

bool Attachments::has_more() const {
    return std::ranges::any_of(entries_, &Entry::more);
}

bool Attachments::has(const void* handle) const {
    return std::ranges::find(entries_, handle, &Entry::handle) != entries_.end();
}

void Attachments::remove(lua_State* L, const void* handle) {
    const auto found = std::ranges::find(entries_, handle, &Entry::handle);
    if (found == entries_.end()) return;
    luaL_unref(L, LUA_REGISTRYINDEX, found->reference);
    polled_.erase(polled_.begin() + (found - entries_.begin()));
    entries_.erase(found);
}

unsigned Attachments::serve(State& state, unsigned events) {
    unsigned failures = 0;
    // Callbacks attach and detach: each handle is looked for anew, in the order of now, and may
    // have another entry.
    const std::vector<Entry> now = entries_;
    for (const Entry& entry : now) {
        const auto found = std::ranges::find(entries_, entry.handle, &Entry::handle);
        if (found == entries_.end()) continue;
        pollfd& poll = polled_[static_cast<std::size_t>(found - entries_.begin())];
        if (poll.fd >= 0 && poll.revents == 0 && !found->more) continue;
        poll.revents = 0;
        failures += !serve_one(state, Entry(*found), events);
    }
    return failures;
}

bool Attachments::serve_one(State& state, const Entry& entry, unsigned events) {
    lua_State* L = state.lua();
    Errand errand{entry.serve, events, Next::more};
    bool good = false;
    lua_settop(L, message_handler_index);
    lua_rawgeti(L, LUA_REGISTRYINDEX, callback_);
    lua_rawgeti(L, LUA_REGISTRYINDEX, entry.reference);
    lua_pushlightuserdata(L, &errand);
    state.guard().enter_attached();
    {
        const GuardScope scope(state.guard());
        good = lua_pcall(L, 2, 0, message_handler_index) == 0;
    }
    if (!good) log_lua_error(L, "an attached handle");
    if (errand.next == Next::goes) {
        remove(L, entry.handle);
        return good;
    }
    const auto found = std::ranges::find(entries_, entry.handle, &Entry::handle);
    if (found != entries_.end()) found->more = errand.next == Next::more;
    return good;
}

} // namespace nfqws2::lua
