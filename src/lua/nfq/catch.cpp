// Packets on their way through a callback. What a callback needs is pushed before a packet is
// taken: a finalizer of the script, which pushing may run, finds the handle at rest. One that runs
// within the callback cannot take the packet away: a handle closed there ends when the callback
// has.
#include "nfq/objects.hpp"

#include "api/arguments.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/lua/attachments.hpp"
#include "nfqws2/lua/connections.hpp"

#include <cerrno>
#include <limits>

namespace nfqws2::lua {
namespace {

using Next = capture::QueueHandle::Next;

constexpr std::size_t longest_packet = 65535;

// Who follows connections sees what comes by queues of scripts too.
Connections* watching(lua_State* L) {
    const Services& services = module_state(L).services();
    return services.simulation != nullptr ? services.simulation->watching() : services.ct;
}

void is_seen(lua_State* L, const capture::QueuedPacket& packet) {
    Connections* const connections = watching(L);
    if (connections == nullptr) return;
    capture::InputPacket whole = packet.input;
    whole.data = packet.whole;
    connections->arrives(whole);
}

void has_left(lua_State* L, const capture::Verdict& verdict) {
    if (Connections* const connections = watching(L))
        connections->leaves(verdict.action == capture::Action::drop);
}

// The packet of a handle that was closed passes.
void answer(QueueHandle& handle, const capture::Verdict& verdict) {
    if (handle.closing) handle.closing->answer(handle.packet, {});
    handle.closing.reset();
    if (handle.handle) handle.handle->answer(handle.packet, verdict);
}

// Of the two results at the top.
capture::Verdict verdict_of(lua_State* L, bool* known) {
    capture::Verdict verdict;
    const bool nothing = lua_isnil(L, -2);
    const std::string_view word =
        lua_type(L, -2) == LUA_TSTRING ? as_text(check_string(L, -2)) : std::string_view();
    *known = nothing || word == "accept" || word == "drop";
    if (word == "drop") {
        verdict.action = capture::Action::drop;
    } else if (word == "accept" && !lua_isnil(L, -1)) {
        const bool text = lua_type(L, -1) == LUA_TSTRING;
        const Bytes bytes = text ? check_string(L, -1) : Bytes();
        if (!bytes.empty() && bytes.size() <= longest_packet)
            verdict = {.action = capture::Action::modify, .data = bytes};
        else
            log::debug("nfq: a replacement that is no string of 1 to 65535 bytes is ignored");
    }
    return verdict;
}

void flush(QueueHandle& handle) {
    if (handle.handle) handle.handle->flush();
}

[[noreturn]] void bad_verdict(lua_State* L, int index) {
    if (lua_type(L, index) == LUA_TSTRING)
        luaL_error(L, "bad argument #1 to 'verdict' (invalid option '%s')", lua_tostring(L, index));
    luaL_error(L, "bad argument #1 to 'verdict' (string expected, got %s)",
               luaL_typename(L, index));
    __builtin_unreachable();
}

void push_function(lua_State* L, int function) {
    if (function != attached_function) return lua_pushvalue(L, function);
    push_companion(L, 1);
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
}

// The packet in hand; data, function and data again are at the top.
void show(lua_State* L, QueueHandle& handle, QueueData& data) {
    data.packet = &handle.packet;
    handle.shown = &data;
    is_seen(L, handle.packet);
    const int status = call_back(module_state(L), L, 1, 2);
    handle.shown = nullptr;
    data.packet = nullptr;
    bool known = true;
    const capture::Verdict verdict = // its bytes are on the stack
        status == 0 ? verdict_of(L, &known) : capture::Verdict();
    has_left(L, verdict);
    answer(handle, verdict);
    if (status == 0 && known) return;
    flush(handle);
    if (status != 0) lua_error(L);
    bad_verdict(L, -2);
}

[[noreturn]] void interrupt(lua_State* L) {
    lua_pushliteral(L, "INTERRUPT");
    lua_error(L);
    __builtin_unreachable();
}

int finish(lua_State* L, const QueueHandle& handle, Next end) {
    if (end == Next::nothing) return push_failure(L, EAGAIN);
    if (end == Next::failed) return push_failure(L, handle.handle->error());
    lua_pushnil(L);
    lua_pushliteral(L, "closed");
    return 2;
}

} // namespace

void QueueHandle::end(State& state) {
    if (ended()) return;
    if (shown != nullptr) {
        shown->packet = nullptr;
        closing = std::move(handle);
    }
    handle.reset();
    state.module_objects().handles--;
    state.guard().release(memory + queues * memory_of_queue);
}

Next serve_queues(lua_State* L, QueueHandle& handle, int function, unsigned most) {
    if (handle.shown != nullptr) luaL_error(L, "a callback of this qhandle is running");
    const Attachments& attachments = module_state(L).attachments();
    const int top = lua_gettop(L);
    Next next = Next::packet;
    for (unsigned i = 0; i < most && next == Next::packet; i++) {
        QueueData& data = push_object<QueueData>(L);
        push_function(L, function);
        lua_pushvalue(L, -2);
        if (handle.ended()) return Next::closed;
        if (function == attached_function && !attachments.has(&handle)) {
            flush(handle);
            return Next::closed;
        }
        next = handle.handle->next(handle.packet);
        if (next == Next::packet) show(L, handle, data);
        lua_settop(L, top);
    }
    return handle.ended() ? Next::closed : next;
}

int catch_packets(lua_State* L) {
    State& state = module_state(L);
    QueueHandle& handle = check_object<QueueHandle>(L, 1);
    constexpr unsigned between_looks = 64;
    luaL_checkstack(L, 16, "nfq.catch");
    for (;;) {
        const Next next = serve_queues(L, handle, 2, between_looks);
        if (handle.ended()) luaL_error(L, "%s %s", QueueHandle::name, QueueHandle::gone);
        if (state.guard().interrupted()) {
            flush(handle);
            interrupt(L);
        }
        if (next == Next::packet) continue;
        if (next != Next::nothing || !handle.blocking) return finish(L, handle, next);
        if (!wait_readable(state, handle.handle->fd())) interrupt(L);
    }
}

} // namespace nfqws2::lua
