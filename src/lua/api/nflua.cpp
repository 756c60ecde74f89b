// What lua/zapret-nflua.lua is made of (docs/nflua.md): nflua_enable() hands it out.
#include "api/arguments.hpp"
#include "api/functions.hpp"
#include "api/owned.hpp"
#include "desync_call.hpp"
#include "errors.hpp"
#include "module/module.hpp"
#include "nflua/conditions.hpp"
#include "nflua/connections.hpp"
#include "nflua/host.hpp"
#include "nflua/json.hpp"

#include "nfqws2/base/log.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <string>

namespace nfqws2::lua {

namespace {

NfluaHost& host_of(lua_State* L) {
    return state_of(L).nflua();
}

const DesyncCall& check_context(lua_State* L) {
    return check_nflua_call(L, host_of(L));
}

// --- calling

// Of the frame and the packet of a call, for as long as it runs.
class Lending {
  public:
    Lending(NfluaHost& host, const DesyncCall& call) : host_(host) {
        host.call = &call;
        host.hotdrop = host.changed = false;
        host.frame.begin(call.frame);
        host.packet.begin(call.raw_packet);
    }
    ~Lending() {
        const Bytes before = host_.call->raw_packet;
        const auto& after = host_.packet.copy();
        host_.changed = host_.packet.written() &&
                        !std::equal(before.begin(), before.end(), after.begin(), after.end());
        host_.call = nullptr;
        host_.frame.end();
        host_.packet.end();
    }
    Lending(const Lending&) = delete;
    Lending& operator=(const Lending&) = delete;

  private:
    NfluaHost& host_;
};

std::int64_t now_ns() {
    return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

// Upvalue 2: pushes both objects, since that may want memory. Argument 1 is the function.
int run_function(lua_State* L) {
    NfluaHost& host = host_of(L);
    lua_settop(L, 1);
    push_loan(L, host.frame);
    push_loan(L, host.packet);
    lua_call(L, 2, 1);
    return 1;
}

// call(ctx, f): whether f(frame, packet) ran to its end, its first result, whether the packet is to
// be dropped whatever it was.
int call(lua_State* L) {
    DesyncCall& running = check_ctx(L);
    luaL_checkany(L, 2);
    NfluaHost& host = host_of(L);
    if (host.call != nullptr) raise(L, "nflua within nflua");
    lua_settop(L, 2);
    push_message_handler(L);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_pushvalue(L, 2);
    const std::int64_t begin_ns = now_ns();
    const int status = [&] {
        const Lending lending(host, running);
        return lua_pcall(L, 1, 1, 3);
    }();
    host.spent_ns += now_ns() - begin_ns;
    if (status != 0) {
        running.errors++;
        log_lua_error(L, "nflua, instance " + running.instance->name);
        lua_pushnil(L);
    }
    lua_pushboolean(L, status == 0);
    lua_insert(L, -2);
    lua_pushboolean(L, host.hotdrop);
    return 3;
}

// commit(ctx): what the last call has written goes on in place of the packet.
int commit(lua_State* L) {
    DesyncCall& running = check_ctx(L);
    NfluaHost& host = host_of(L);
    if (!host.changed) return 0;
    host.changed = false;
    replace_packet(L, running, host.packet.copy());
    return 0;
}

int hotdrop(lua_State* L) {
    check_context(L);
    luaL_checktype(L, 1, LUA_TBOOLEAN);
    host_of(L).hotdrop = lua_toboolean(L, 1);
    return 0;
}

// The packet of the call, as it came to this instance.
int packet(lua_State* L) {
    push(L, check_context(L).raw_packet);
    return 1;
}

// --- copies of packets

constexpr const char* copy_type = "packet copy";

struct Copy {
    State* state;
    std::uint8_t* bytes; // nullptr: closed
    std::size_t size;

    void close() {
        if (bytes == nullptr) return;
        ::operator delete(bytes);
        bytes = nullptr;
        NfluaHost& host = state->nflua();
        host.copies--;
        host.copied -= size;
        state->guard().release(size);
    }
};

int collect_copy(lua_State* L) {
    static_cast<Copy*>(lua_touserdata(L, 1))->close();
    return 0;
}

bool has_room(const NfluaHost& host, std::size_t size) {
    return host.copies < NfluaHost::max_copies && host.copied + size <= NfluaHost::max_copied;
}

// Copies that nobody has any more may be waiting for the collector, which knows little of their
// size.
bool make_room(lua_State* L, NfluaHost& host, std::size_t size) {
    constexpr unsigned between_collections = 100;
    host.asked_since_collection++;
    if (has_room(host, size)) return true;
    if (host.asked_since_collection < between_collections) return false;
    host.asked_since_collection = 0;
    lua_gc(L, LUA_GCCOLLECT, 0);
    return has_room(host, size);
}

// copy(bytes)
int copy(lua_State* L) {
    const Bytes bytes = check_string(L, 1);
    State& state = state_of(L);
    NfluaHost& host = state.nflua();
    if (!make_room(L, host, bytes.size())) raise(L, "couldn't copy packet");
    auto* const result = static_cast<Copy*>(lua_newuserdata(L, sizeof(Copy)));
    *result = {&state, nullptr, bytes.size()};
    if (luaL_newmetatable(L, copy_type)) {
        lua_pushcfunction(L, collect_copy);
        lua_setfield(L, -2, "__gc");
        hide_metatable(L, copy_type);
    }
    lua_setmetatable(L, -2);
    if (!state.guard().reserve(bytes.size())) raise(L, "couldn't copy packet");
    result->bytes = static_cast<std::uint8_t*>(::operator new(bytes.size(), std::nothrow));
    if (result->bytes == nullptr) {
        state.guard().release(bytes.size());
        raise(L, "couldn't copy packet");
    }
    std::copy(bytes.begin(), bytes.end(), result->bytes);
    host.copies++;
    host.copied += bytes.size();
    return 1;
}

Copy& check_copy(lua_State* L) {
    bool good = false;
    if (lua_type(L, 1) == LUA_TUSERDATA && lua_getmetatable(L, 1)) {
        luaL_getmetatable(L, copy_type);
        good = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    if (!good) wrong_type(L, 1, copy_type);
    return *static_cast<Copy*>(lua_touserdata(L, 1));
}

// Nil if it is closed, which a finalizer of the script may do while the result is made.
int copy_bytes(lua_State* L) {
    const Copy& that = check_copy(L);
    auto& text = push_owned<std::string>(L);
    if (that.bytes == nullptr) {
        lua_pushnil(L);
        return 1;
    }
    text = as_text({that.bytes, that.size});
    push(L, std::string_view(text));
    free_owned(text);
    return 1;
}

int copy_close(lua_State* L) {
    check_copy(L).close();
    return 0;
}

// --- messages

int message_failed(lua_State* L, int error) {
    switch (error) {
    case EBADF:
        raise(L, "invalid netlink socket");
    case EAGAIN:
        raise(L, "socket buffer full: agent busy?");
    case ECONNREFUSED:
        raise(L, "connection refused: agent shut down?");
    default:
        return luaL_error(L, "error code %d", error);
    }
}

// netlink(port, groups, payload[, flags])
int netlink(lua_State* L) {
    constexpr std::int64_t most_u32 = 0xFFFFFFFF, most_u16 = 0xFFFF;
    constexpr std::size_t longest = 65535;
    capture::NetlinkMessage message;
    message.port = static_cast<std::uint32_t>(check_int(L, 1) & most_u32);
    message.groups = static_cast<std::uint32_t>(check_int(L, 2) & most_u32);
    message.payload = check_text(L, 3);
    if (!lua_isnoneornil(L, 4))
        message.flags = static_cast<std::uint16_t>(check_int(L, 4) & most_u16);
    if (message.payload.size() > longest) raise(L, "message too long");
    const Services& services = state_of(L).services();
    if (!services.offline && !services.kernel.netlink)
        return push_failure(L, "not allowed: --lua-allow=netlink", EPERM);
    capture::MessageSender* const messages = services.messages;
    const int error = messages != nullptr ? messages->send(message) : EBADF;
    if (error != 0) return message_failed(L, error);
    push_int(L, static_cast<std::int64_t>(message.payload.size()));
    return 1;
}

// --- the rest

int now(lua_State* L) {
    constexpr std::int64_t ns_per_ms = 1'000'000, ms_per_s = 1000;
    const std::int64_t ms = state_of(L).services().clock.unix_ns() / ns_per_ms;
    push_int(L, ms / ms_per_s);
    push_int(L, ms % ms_per_s);
    return 2;
}

int memory(lua_State* L) {
    constexpr std::int64_t kilobyte = 1024, ns_per_us = 1000;
    NfluaHost& host = host_of(L);
    push_int(L, lua_gc(L, LUA_GCCOUNT, 0) * kilobyte + lua_gc(L, LUA_GCCOUNTB, 0));
    push_int(L, host.spent_ns / ns_per_us);
    host.spent_ns = 0;
    return 2;
}

void push_native(lua_State* L, State& state) {
    static constexpr NativeFunction functions[] = {
        {"commit", commit}, {"hotdrop", hotdrop},       {"packet", packet},
        {"copy", copy},     {"copy_bytes", copy_bytes}, {"now", now},
        {"memory", memory}, {"netlink", netlink},       {"copy_close", copy_close}};
    lua_createtable(L, 0, static_cast<int>(std::size(functions)) + 8);
    for (const auto list : {std::span<const NativeFunction>(functions), connection_functions(),
                            condition_functions()}) {
        for (const NativeFunction& native : list) {
            lua_pushlightuserdata(L, &state);
            lua_pushcclosure(L, native.function, 1);
            lua_setfield(L, -2, native.name);
        }
    }
    lua_pushlightuserdata(L, &state);
    lua_pushlightuserdata(L, &state);
    lua_pushcclosure(L, run_function, 1);
    lua_pushcclosure(L, call, 2);
    lua_setfield(L, -2, "call");
    push_data_module(state);
    lua_setfield(L, -2, "data");
    push_json_module(L);
    lua_setfield(L, -2, "json");
}

// While Lua starts only: the queue is told what to ask of the kernel, and a script gets what
// belongs to the library from the library.
int nflua_enable(lua_State* L) {
    check_count(L, "nflua_enable", 0);
    State& state = state_of(L);
    if (!state.in_init()) raise(L, "nflua_enable: only while Lua starts");
    NfluaHost& host = state.nflua();
    if (!host.enabled) open_data(state);
    host.enabled = true;
    open_connections(state);
    push_native(L, state);
    return 1;
}

} // namespace

void register_nflua_api(State& state) {
    static constexpr NativeFunction functions[] = {{"nflua_enable", nflua_enable}};
    register_functions(state, functions);
}

} // namespace nfqws2::lua
