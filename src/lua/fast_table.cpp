// Theory of operation. The C API needs a call, a hash of the key and a look-up for each of the
// roughly hundred fields of a `desync` table. LuaJIT compiles table constructors with constant keys
// to a copy of a template and plain stores, so the table is built by a Lua function that reads a C
// struct through the FFI. The function is loaded before the FFI is removed and only it keeps a
// reference. The bench is tests/bench/bridge_bench.cpp; tests/unit/lua/desync_table_test.cpp holds
// both ways against each other.
#include "fast_table.lua.hpp"

#include "facts.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/lua/desync_table.hpp"
#include "nfqws2/lua/state.hpp"

#include <algorithm>

namespace nfqws2::lua {

namespace {

bool jit_is_on(lua_State* L) {
    bool on = false;
    lua_getglobal(L, "jit");
    if (lua_istable(L, -1)) {
        lua_getfield(L, -1, "status");
        if (lua_isfunction(L, -1) && lua_pcall(L, 0, 1, 0) == 0) on = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return on;
}

template <typename E> void push_names(lua_State* L) {
    lua_newtable(L);
    for (unsigned i = 0; i < static_cast<unsigned>(E::count); i++) {
        push(L, protocol::name(static_cast<E>(i)));
        lua_rawseti(L, -2, static_cast<int>(i));
    }
}

void fill(SideFacts& to, const flow::SidePositions& from) {
    to.pcounter = static_cast<double>(from.pcounter);
    to.pdcounter = static_cast<double>(from.pdcounter);
    to.pbcounter = static_cast<double>(from.pbcounter);
    to.ip6_flow = from.ip6_flow;
    to.seq0 = from.seq0;
    to.seq = from.seq;
    to.rseq = from.rseq();
    to.pos = from.rpos();
    to.uppos = from.uppos - from.seq0;
    to.uppos_prev = from.uppos_prev - from.seq0;
    to.winsize_calc = from.winsize_calc;
    to.winsize = from.winsize;
    to.scale = from.scale;
    to.mss = from.mss;
    to.rseq_over_2g = from.rseq_over_2g;
}

void fill_dissect(Facts& f, const packet::Dissect& d) {
    f.packet = d.packet.data();
    f.payload = d.payload.data();
    f.payload_len = static_cast<std::uint32_t>(d.payload.size());
    f.l3 = static_cast<std::uint32_t>(d.l3);
    f.l4 = static_cast<std::uint32_t>(d.l4);
    f.l4proto = d.l4proto;
    f.l3_len = d.l3_len;
    f.l4_len = d.l4_len;
    f.transport_len = d.transport_len;
    f.fragment = d.fragment;
    f.frag_off = d.frag_off;
    if (d.l3 == packet::L3::ipv6) f.ip6_flow = d.ip6_flow();
    if (d.l4 == packet::L4::tcp) {
        f.seq = d.tcp_seq();
        f.ack = d.tcp_ack();
    } else if (d.l4 == packet::L4::icmp) {
        f.icmp_data = load_be32(d.transport() + 4);
    }
}

void fill_track(Facts& f, const PacketView& view) {
    const flow::Track& track = *view.track;
    f.tcp_track = track.is_tcp();
    f.incoming_ttl = track.incoming_ttl();
    f.track_l7 = static_cast<std::uint32_t>(track.l7());
    f.has_hostname = track.has_hostname();
    f.hostname = track.hostname().data();
    f.hostname_len = static_cast<std::uint32_t>(track.hostname().size());
    f.hostname_is_ip = track.hostname_is_ip();
    f.in_cutoff = track.cutoff(false);
    f.out_cutoff = track.cutoff(true);
    f.direct_is_client = view.from_client;
    f.t_start = static_cast<double>(track.start_ns()) * 1e-9;
    f.dt = static_cast<double>(view.positions->last_ns - track.start_ns()) * 1e-9;
    fill(f.client, view.positions->client);
    fill(f.server, view.positions->server);
}

int push_by_api(lua_State* L) {
    Host& host = *static_cast<Host*>(lua_touserdata(L, 1));
    push_desync_table(host, *static_cast<const PacketView*>(lua_touserdata(L, 2)));
    return 1;
}

} // namespace

Host::Host() = default;
Host::~Host() = default;

void load_fast_table(Host& host) {
    lua_State* L = host.L;
    if (!is_luajit || !jit_is_on(L)) return;
    if (luaL_loadbuffer(L, fast_table_source, std::char_traits<char>::length(fast_table_source),
                        fast_table_chunk) != 0) {
        log::error("LUA: %s", lua_tostring(L, -1));
        lua_pop(L, 1);
        return;
    }
    host.facts = std::make_unique<Facts>();
    lua_pushlightuserdata(L, host.facts.get());
    lua_pushnumber(L, sizeof(Facts));
    push_names<protocol::Payload>(L);
    push_names<protocol::L7>(L);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    host.profile_texts_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_rawgeti(L, LUA_REGISTRYINDEX, host.states_ref);
    if (lua_pcall(L, 6, 2, 0) != 0 || !lua_isfunction(L, -2)) {
        // No FFI in this build of LuaJIT: the C API way is always there.
        lua_settop(L, 0);
        return;
    }
    // The library itself must not be collected: LuaJIT needs its finalizer table at lua_close.
    luaL_ref(L, LUA_REGISTRYINDEX);
    host.build_table_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

DesyncTable::DesyncTable(Host& host) : host_(host) {
}

void DesyncTable::prepare(const profile::ProfileSet& profiles) {
    if (host_.build_table_ref == LUA_NOREF) return;
    lua_State* L = host_.L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, host_.profile_texts_ref);
    for (const auto& profile : profiles.all()) {
        lua_createtable(L, 0, 2);
        if (!profile->profile_name.empty()) {
            lua::push(L, profile->profile_name);
            lua_setfield(L, -2, "name");
        }
        if (profile->cookie) {
            lua::push(L, *profile->cookie);
            lua_setfield(L, -2, "cookie");
        }
        lua_rawseti(L, -2, static_cast<int>(profile->number));
    }
    lua_pop(L, 1);
}

bool DesyncTable::push(const PacketView& view) {
    lua_State* L = host_.L;
    if (host_.build_table_ref == LUA_NOREF) {
        lua_pushcfunction(L, push_by_api);
        lua_pushlightuserdata(L, &host_);
        lua_pushlightuserdata(L, const_cast<PacketView*>(&view));
        return lua_pcall(L, 2, 1, message_handler_index) == 0;
    }
    Facts& f = *host_.facts;
    fill_dissect(f, *view.dis);
    f.has_track = view.track != nullptr;
    if (view.track != nullptr) {
        fill_track(f, view);
        f.lua_state = static_cast<std::uint32_t>(need_lua_state(host_.L, host_, *view.track));
    }
    f.ifin = view.ifin.data();
    f.ifin_len = static_cast<std::uint32_t>(view.ifin.size());
    f.ifout = view.ifout.data();
    f.ifout_len = static_cast<std::uint32_t>(view.ifout.size());
    f.fwmark = view.fwmark;
    f.profile_n = view.profile->number;
    f.outgoing = view.outgoing;
    f.target_port = view.target_port;
    f.target_version = view.target.version;
    std::copy(view.target.raw.begin(), view.target.raw.end(), f.target);
    f.l7payload = static_cast<std::uint32_t>(view.payload);
    f.l7proto = static_cast<std::uint32_t>(view.l7);
    f.tcp_mss = view.tcp_mss;
    f.has_reasm = view.reasm_data.has_value();
    if (view.reasm_data) {
        f.reasm = view.reasm_data->data();
        f.reasm_len = static_cast<std::uint32_t>(view.reasm_data->size());
    }
    f.has_decrypt = view.decrypt_data.has_value();
    if (view.decrypt_data) {
        f.decrypt = view.decrypt_data->data();
        f.decrypt_len = static_cast<std::uint32_t>(view.decrypt_data->size());
    }
    f.replay = view.replay.has_value();
    f.reasm_offset = view.replay ? view.replay->offset : 0;
    if (view.replay) {
        f.replay_piece = view.replay->piece;
        f.replay_count = view.replay->count;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, host_.build_table_ref);
    f.valid = 1;
    const bool built = lua_pcall(L, 0, 1, message_handler_index) == 0;
    f.valid = 0;
    return built;
}

} // namespace nfqws2::lua
