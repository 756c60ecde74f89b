// Theory of operation: every timer has a serial number, given in order of creation. Two ordered
// maps hold the timers: by serial (the order scripts see and in which due timers fire) and by due
// time (so that a pass looks at due timers only). The rule "after a change start over with the same
// T" comes for free: a timer that has fired is due later than T, one made during the pass has a
// serial behind all that were there at its start and must not fire in it anyway, so going on with
// the next serial visits exactly what starting over would.
#include "nfqws2/lua/timers.hpp"

#include "errors.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <vector>

namespace nfqws2::lua {

struct Timers::Impl {
    using Serial = std::uint64_t;

    explicit Impl(Guard& g) : guard(g) {}

    Guard& guard;

    std::map<Serial, Timer> by_serial;
    std::map<std::string, Serial, std::less<>> by_name;
    std::set<std::pair<std::int64_t, Serial>> by_due;
    Serial last_serial = 0;

    void erase(lua_State* L, std::map<Serial, Timer>::iterator it) {
        const Timer& timer = it->second;
        timer.drop_references(L);
        by_due.erase({timer.next_ms, it->first});
        by_name.erase(timer.name);
        guard.release(timer.memory());
        by_serial.erase(it);
    }

    bool fire(lua_State* L, Serial serial, std::int64_t now_ms);
};

void Timer::drop_references(lua_State* L) const {
    for (const int reference : {name_ref, func_ref, data_ref})
        luaL_unref(L, LUA_REGISTRYINDEX, reference);
}

Timers::Timers(Guard& guard) : impl_(std::make_unique<Impl>(guard)) {
}
Timers::~Timers() = default;

bool Timers::empty() const {
    return impl_->by_serial.empty();
}

bool Timers::set(lua_State* L, Timer timer) {
    if (!impl_->guard.reserve(timer.memory())) return false;
    remove(L, timer.name);
    const Impl::Serial serial = ++impl_->last_serial;
    impl_->by_name.emplace(timer.name, serial);
    impl_->by_due.emplace(timer.next_ms, serial);
    impl_->by_serial.emplace(serial, std::move(timer));
    return true;
}

bool Timers::remove(lua_State* L, std::string_view name) {
    const auto it = impl_->by_name.find(name);
    if (it == impl_->by_name.end()) return false;
    impl_->erase(L, impl_->by_serial.find(it->second));
    return true;
}

const Timer* Timers::find(std::string_view name) const {
    const auto it = impl_->by_name.find(name);
    return it == impl_->by_name.end() ? nullptr : &impl_->by_serial.find(it->second)->second;
}

void Timers::for_each(const std::function<void(const Timer&)>& visit) const {
    for (const auto& [serial, timer] : impl_->by_serial)
        visit(timer);
}

std::int64_t Timers::next_due_ms() const {
    return impl_->by_due.empty() ? std::numeric_limits<std::int64_t>::max()
                                 : impl_->by_due.begin()->first;
}

// True if the callback succeeded.
bool Timers::Impl::fire(lua_State* L, Serial serial, std::int64_t now_ms) {
    Timer& timer = by_serial.find(serial)->second;
    timer.fires++;
    by_due.erase({timer.next_ms, serial});
    timer.next_ms = now_ms + timer.period_ms;
    by_due.emplace(timer.next_ms, serial);

    const bool has_handler = lua_iscfunction(L, message_handler_index);
    lua_rawgeti(L, LUA_REGISTRYINDEX, timer.func_ref);
    lua_rawgeti(L, LUA_REGISTRYINDEX, timer.name_ref);
    lua_rawgeti(L, LUA_REGISTRYINDEX, timer.data_ref);
    guard.enter_timer(timer.name);
    const bool good = lua_pcall(L, 2, 0, has_handler ? message_handler_index : 0) == 0;
    guard.leave();

    // The callback may have deleted or replaced the timer it belongs to.
    const auto it = by_serial.find(serial);
    const bool remains = it != by_serial.end();
    if (!good) log_lua_error(L, remains ? "timer '" + it->second.name + "'" : "a timer");
    if (remains && (!good || it->second.oneshot)) erase(L, it);
    return good;
}

unsigned Timers::run_due(lua_State* L, std::int64_t now_ms) {
    std::vector<Impl::Serial> due;
    for (const auto& [when, serial] : impl_->by_due) {
        if (when > now_ms) break;
        due.push_back(serial);
    }
    std::sort(due.begin(), due.end());
    unsigned failures = 0;
    for (const Impl::Serial serial : due) {
        if (!impl_->by_serial.contains(serial)) continue; // deleted by an earlier callback
        failures += !impl_->fire(L, serial, now_ms);
    }
    return failures;
}

void Timers::clear(lua_State* L) {
    while (!impl_->by_serial.empty())
        impl_->erase(L, impl_->by_serial.begin());
}

} // namespace nfqws2::lua
