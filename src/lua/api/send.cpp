// Sending packets, feeding them to connection tracking, and what the machine's network looks like
// (docs/contracts/native-functions.md#sending-and-feeding).
#include "api/arguments.hpp"
#include "api/functions.hpp"
#include "api/owned.hpp"
#include "api/packet.hpp"
#include "table/desync_table.hpp"
#include "table/keys.hpp"

#include "nfqws2/base/log.hpp"

#include <algorithm>
#include <limits>

namespace nfqws2::lua {

namespace {

struct SendOptions {
    unsigned repeats = 1;
    std::uint32_t mark = 0;
    std::string_view ifout; // lives as long as the options table
};

// The absolute `index` holds nil, nothing or a table.
SendOptions read_send_options(lua_State* L, int index, int keys) {
    SendOptions options;
    options.mark = state_of(L).services().desync_fwmark;
    if (!check_optional_table(L, index)) return options;
    get_field(L, keys, index, Key::repeats);
    const std::int64_t repeats = to_int(L, -1);
    if (repeats < 0) luaL_error(L, "rawsend: negative repeats");
    if (repeats != 0)
        options.repeats = static_cast<unsigned>(
            std::min<std::int64_t>(repeats, std::numeric_limits<unsigned>::max()));
    get_field(L, keys, index, Key::fwmark);
    options.mark |= static_cast<std::uint32_t>(to_int(L, -1));
    get_field(L, keys, index, Key::ifout);
    if (lua_type(L, -1) == LUA_TSTRING) {
        // A string that a metatable made would not live in the table: keep all three values on the
        // stack until the packet is sent.
        options.ifout = as_text(check_text(L, -1));
    }
    return options;
}

bool send(lua_State* L, Bytes packet, const SendOptions& options) {
    if (!packet::looks_like_ipv4(packet) && !packet::looks_like_ipv6(packet))
        luaL_error(L, "bad ip4/ip6 header");
    capture::OutputPacket out;
    out.data = packet;
    out.mark = options.mark;
    out.ifout = options.ifout;
    out.repeats = options.repeats;
    State& state = state_of(L);
    if (!state.services().outlet.send(out)) return false;
    state.count_sent(out.repeats);
    return true;
}

int rawsend(lua_State* L) {
    check_count(L, "rawsend", 1, 2);
    const Bytes packet = check_string(L, 1);
    lua_settop(L, 2);
    const SendOptions options = read_send_options(L, 2, push_keys(L));
    if (log::debug_enabled())
        log::debug("rawsend repeats=%u size=%zu ifout=%.*s fwmark=%08X", options.repeats,
                   packet.size(), static_cast<int>(options.ifout.size()), options.ifout.data(),
                   options.mark);
    lua_pushboolean(L, send(L, packet, options));
    return 1;
}

int rawsend_dissect(lua_State* L) {
    check_count(L, "rawsend_dissect", 1, 3);
    if (!lua_istable(L, 1)) wrong_type(L, 1, "table");
    lua_settop(L, 3);
    const int keys = push_keys(L);
    const SendOptions options = read_send_options(L, 2, keys);
    check_optional_table(L, 3);
    const RebuildOptions how = read_rebuild_options(L, 3, keys);
    const Bytes packet = check_rebuild(L, 1, how);
    if (log::debug_enabled())
        log::debug("rawsend_dissect repeats=%u size=%zu badsum=%u ifout=%.*s fwmark=%08X",
                   options.repeats, packet.size(), how.badsum,
                   static_cast<int>(options.ifout.size()), options.ifout.data(), options.mark);
    lua_pushboolean(L, send(L, packet, options));
    return 1;
}

int push_no_track(lua_State* L) {
    lua_pushnil(L);
    lua_pushnil(L);
    return 2;
}

struct FedTrack {
    const DesyncTable* tables;
    flow::Track* track;
    bool direct_is_client;
};

int push_fed_track_protected(lua_State* L) {
    const auto& fed = *static_cast<const FedTrack*>(lua_touserdata(L, 1));
    fed.tables->push_track(L, *fed.track, fed.track->positions(), fed.direct_is_client);
    return 1;
}

// A finaliser that runs meanwhile may feed packets too, and so end this very track: it is pinned,
// and no error leaps over the pin. False: the error is on top of the stack.
bool push_fed_track(lua_State* L, State& state, flow::Track& track, bool outgoing) {
    // Under --server the two sides change places, as scripts know it.
    FedTrack fed{&state.desync_table(), &track, outgoing != state.services().server_mode};
    lua_pushcfunction(L, push_fed_track_protected);
    lua_pushlightuserdata(L, &fed);
    const flow::ConnectionTable::Pin pin(*state.services().connections, &track);
    return lua_pcall(L, 1, 1, 0) == 0;
}

int conntrack_feed(lua_State* L) {
    check_count(L, "conntrack_feed", 1, 2);
    State& state = state_of(L);
    flow::ConnectionTable* const connections = state.services().connections;
    if (connections == nullptr) return push_no_track(L);
    Bytes packet;
    if (lua_type(L, 1) == LUA_TSTRING) {
        packet = check_text(L, 1);
    } else if (lua_istable(L, 1)) {
        check_optional_table(L, 2);
        lua_settop(L, 2);
        packet = check_rebuild(L, 1, read_rebuild_options(L, 2, push_keys(L)));
    } else {
        return luaL_error(L, "invalid packet data type");
    }
    connections->purge();
    const flow::ConnectionTable::Found found = connections->feed(packet::dissect(packet));
    if (!found) return push_no_track(L);
    if (!push_fed_track(L, state, *found.track, !found.reverse)) return lua_error(L);
    lua_pushboolean(L, !found.reverse);
    return 2;
}

int packets_sent(lua_State* L) {
    check_count(L, "packets_sent", 0);
    push_int(L, static_cast<std::int64_t>(state_of(L).sent()));
    return 1;
}

int get_source_ip(lua_State* L) {
    check_count(L, "get_source_ip", 1);
    const Bytes raw = check_string(L, 1);
    if (raw.size() != 4 && raw.size() != 16)
        return luaL_error(L, "invalid IP length %d", static_cast<int>(raw.size()));
    const IpAddress target =
        raw.size() == 4 ? IpAddress::v4(raw.data()) : IpAddress::v6(raw.data());
    const IpAddress source = state_of(L).services().network.source_for(target);
    if (source.empty())
        lua_pushnil(L);
    else
        push(L, source.bytes());
    return 1;
}

void set_address(lua_State* L, const char* name, const IpAddress& address) {
    if (address.empty()) return;
    push(L, address.bytes());
    lua_setfield(L, -2, name);
}

void push_interface(lua_State* L, const capture::Interface& interface) {
    lua_createtable(L, 0, 5);
    if (interface.index) set_int(L, "index", *interface.index);
    set_int(L, "flags", interface.flags);
    if (interface.mtu) set_int(L, "mtu", *interface.mtu);
    if (!interface.ssid.empty()) set_text(L, "ssid", interface.ssid);
    lua_createtable(L, static_cast<int>(interface.addresses.size()), 0);
    int i = 0;
    for (const capture::InterfaceAddress& address : interface.addresses) {
        lua_createtable(L, 0, 4);
        set_address(L, "addr", address.address);
        set_address(L, "netmask", address.netmask);
        set_address(L, "broadcast", address.broadcast);
        set_address(L, "dst", address.destination);
        lua_rawseti(L, -2, ++i);
    }
    lua_setfield(L, -2, "addr");
}

int get_ifaddrs(lua_State* L) {
    check_count(L, "get_ifaddrs", 0);
    auto& interfaces = push_owned<std::optional<std::vector<capture::Interface>>>(L);
    interfaces = state_of(L).services().network.interfaces();
    if (!interfaces) {
        lua_pushnil(L);
        return 1;
    }
    lua_newtable(L);
    for (const capture::Interface& interface : *interfaces) {
        if (interface.addresses.empty()) continue;
        push(L, interface.name);
        push_interface(L, interface);
        lua_rawset(L, -3);
    }
    interfaces.reset();
    return 1;
}

} // namespace

void register_send_api(State& state) {
    static constexpr NativeFunction functions[] = {
        {"rawsend", rawsend},
        {"rawsend_dissect", rawsend_dissect},
        {"packets_sent", packets_sent},
        {"conntrack_feed", conntrack_feed},
        {"get_source_ip", get_source_ip},
        {"get_ifaddrs", get_ifaddrs},
    };
    register_functions(state, functions);
}

} // namespace nfqws2::lua
