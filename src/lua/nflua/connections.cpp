#include "nflua/connections.hpp"

#include "api/arguments.hpp"
#include "desync_call.hpp"
#include "module/module.hpp"
#include "nflua/host.hpp"

#include "nfqws2/flow/ct_sim.hpp"
#include "nfqws2/lua/connections.hpp"
#include "nfqws2/packet/dissect.hpp"

#include <arpa/inet.h>
#include <cerrno>

namespace nfqws2::lua {

namespace {

using packet::Connection;
using packet::CtTuple;

NfluaHost& host_of(lua_State* L) {
    return state_of(L).nflua();
}

// Live ones may be reached with permission only.
bool is_refused(const Services& services) {
    return !services.offline && !services.kernel.conntrack;
}

int refuse(lua_State* L) {
    return push_failure(L, "not allowed: --lua-allow=conntrack", EPERM);
}

// nullptr: there is no kernel, or it cannot be asked.
capture::CtNetlink* kernel_of(State& state) {
    NfluaHost& host = state.nflua();
    if (state.services().offline) return nullptr;
    if (!host.kernel_tried) {
        host.kernel_tried = true;
        auto made = std::make_unique<capture::CtNetlink>();
        if (made->open() == 0) host.kernel = std::move(made);
    }
    return host.kernel.get();
}

flow::CtSim* simulation_of(const State& state) {
    SimulationDoor* const door = state.services().simulation;
    return door != nullptr ? door->simulation() : nullptr;
}

IpAddress check_address(lua_State* L, int index, int version) {
    const char* const text = luaL_checkstring(L, index);
    std::uint8_t raw[16];
    if (inet_pton(version == 4 ? AF_INET : AF_INET6, text, raw) != 1)
        raise(L, "failed to convert address to binary");
    return version == 4 ? IpAddress::v4(raw) : IpAddress::v6(raw);
}

// family, protocol, source, its port, destination, its port: from argument 1 on.
CtTuple check_tuple(lua_State* L) {
    static const char* const protocols[] = {"tcp", "udp", nullptr};
    constexpr std::int64_t ports = 0xFFFF;
    const std::int64_t family = check_int(L, 1);
    if (family != 4 && family != 6) raise(L, "unknown family");
    const int version = static_cast<int>(family);
    CtTuple tuple;
    tuple.proto = luaL_checkoption(L, 2, nullptr, protocols) == 0 ? IPPROTO_TCP : IPPROTO_UDP;
    tuple.src = check_address(L, 3, version);
    tuple.sport = static_cast<std::uint16_t>(check_int(L, 4) & ports);
    tuple.dst = check_address(L, 5, version);
    tuple.dport = static_cast<std::uint16_t>(check_int(L, 6) & ports);
    return tuple;
}

// False: it is not there.
bool look_up(State& state, const CtTuple& tuple, Connection& found) {
    if (capture::CtNetlink* kernel = kernel_of(state)) {
        int error = 0;
        const auto answer = kernel->get(tuple, 0, &error);
        if (answer) found = answer->connection;
        return answer.has_value();
    }
    const flow::CtSim* const simulated = simulation_of(state);
    const flow::CtRef connection = simulated != nullptr ? simulated->find(tuple) : flow::CtRef{};
    if (connection) found = simulated->describe(connection);
    return static_cast<bool>(connection);
}

void push_counter(lua_State* L, const packet::CtCounter& counter) {
    push_int(L, static_cast<std::int64_t>(counter.packets));
    push_int(L, static_cast<std::int64_t>(counter.bytes));
}

// traffic(family, proto, src, sport, dst, dport, dir)
int traffic(lua_State* L) {
    enum { original, reply, both };
    static const char* const directions[] = {"original", "reply", "both", nullptr};
    const CtTuple tuple = check_tuple(L);
    const int direction = luaL_checkoption(L, 7, nullptr, directions);
    State& state = state_of(L);
    if (is_refused(state.services())) return refuse(L);
    Connection found;
    const bool there = look_up(state, tuple, found);
    if (!there || !found.counted) {
        lua_pushnil(L);
        lua_pushstring(L, there ? "counters not found" : "connid entry not found");
        return 2;
    }
    if (direction != reply) push_counter(L, found.orig_counter);
    if (direction != original) push_counter(L, found.reply_counter);
    return direction == both ? 4 : 2;
}

// That of the packet; of a broken one there is none.
bool tuple_of_packet(const DesyncCall& call, CtTuple& tuple) {
    const auto found = flow::ct_tuple_of(packet::dissect(call.raw_packet));
    if (found) tuple = *found;
    return found.has_value();
}

// delete_conntrack([family, proto, src, sport, dst, dport])
int delete_conntrack(lua_State* L) {
    CtTuple tuple;
    if (!lua_isnoneornil(L, 1))
        tuple = check_tuple(L);
    else if (!tuple_of_packet(check_nflua_call(L, host_of(L)), tuple))
        return 0;
    State& state = state_of(L);
    if (is_refused(state.services())) return refuse(L);
    if (capture::CtNetlink* kernel = kernel_of(state)) {
        kernel->remove(tuple, 0);
    } else if (flow::CtSim* simulated = simulation_of(state)) {
        if (const flow::CtRef connection = simulated->find(tuple)) simulated->remove(connection);
    }
    return 0;
}

// The kernel's where it tells them with the packet or when asked; 0 while it has none.
int connid(lua_State* L) {
    const DesyncCall& call = check_nflua_call(L, host_of(L));
    if (call.connection != nullptr) {
        const packet::CtFacts& facts = call.connection->facts();
        if (facts.source == packet::CtSource::queue || facts.source == packet::CtSource::netlink) {
            const bool known = facts.connection && facts.connection->id;
            push_int(L, known ? std::int64_t{*facts.connection->id} : 0);
            return 1;
        }
    }
    push_int(L, call.track != nullptr ? call.track->number() : 0);
    return 1;
}

constexpr NativeFunction functions[] = {
    {"connid", connid}, {"traffic", traffic}, {"delete_conntrack", delete_conntrack}};

} // namespace

const DesyncCall& check_nflua_call(lua_State* L, const NfluaHost& host) {
    if (host.call == nullptr) raise(L, "couldn't get packet context");
    return *host.call;
}

void open_connections(State& state) {
    if (is_refused(state.services())) return;
    if (kernel_of(state) == nullptr) simulation_of(state);
}

std::span<const NativeFunction> connection_functions() {
    return functions;
}

} // namespace nfqws2::lua
