#include "nfqws2/lua/host.hpp"

namespace nfqws2::lua {

namespace {

void set_number(lua_State* L, const char* name, double value) {
    lua_pushnumber(L, value);
    lua_setfield(L, -2, name);
}

void set_integer(lua_State* L, const char* name, std::uint64_t value) {
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, static_cast<lua_Integer>(value));
#else
    lua_pushnumber(L, static_cast<lua_Number>(value));
#endif
    lua_setfield(L, -2, name);
}

void set_boolean(lua_State* L, const char* name, bool value) {
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

void push_side(lua_State* L, const flow::SidePositions& side, bool tcp) {
    lua_createtable(L, 0, 5);
    set_integer(L, "pcounter", side.pcounter);
    set_integer(L, "pdcounter", side.pdcounter);
    set_integer(L, "pbcounter", side.pbcounter);
    if (side.ip6_flow != 0) set_integer(L, "ip6_flow", side.ip6_flow);
    if (!tcp) return;
    lua_createtable(L, 0, 11);
    set_integer(L, "seq0", side.seq0);
    set_integer(L, "seq", side.seq);
    set_integer(L, "rseq", side.rseq());
    set_boolean(L, "rseq_over_2G", side.rseq_over_2g);
    set_integer(L, "pos", side.rpos());
    set_integer(L, "uppos", side.uppos - side.seq0);
    set_integer(L, "uppos_prev", side.uppos_prev - side.seq0);
    set_integer(L, "winsize", side.winsize);
    set_integer(L, "winsize_calc", side.winsize_calc);
    set_integer(L, "scale", side.scale);
    set_integer(L, "mss", side.mss);
    lua_setfield(L, -2, "tcp");
}

} // namespace

int need_lua_state(lua_State* L, Host& host, flow::Track& track) {
    if (track.lua_ref() != flow::no_lua_ref) return track.lua_ref();
    lua_rawgeti(L, LUA_REGISTRYINDEX, host.states_ref);
    lua_newtable(L);
    track.set_lua_ref(luaL_ref(L, -2));
    lua_pop(L, 1);
    return track.lua_ref();
}

void drop_lua_state(Host& host, flow::Track& track) {
    if (track.lua_ref() == flow::no_lua_ref) return;
    lua_State* L = host.L;
    if (L != nullptr) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, host.states_ref);
        luaL_unref(L, -1, track.lua_ref());
        lua_pop(L, 1);
    }
    track.set_lua_ref(flow::no_lua_ref);
}

void push_track(lua_State* L, Host& host, flow::Track& track, const flow::Positions& positions,
                bool direct_is_client) {
    lua_createtable(L, 0, 9);
    if (track.incoming_ttl() != 0) set_integer(L, "incoming_ttl", track.incoming_ttl());
    push(L, protocol::name(track.l7()));
    lua_setfield(L, -2, "l7proto");
    if (track.has_hostname()) {
        push(L, track.hostname());
        lua_setfield(L, -2, "hostname");
        set_boolean(L, "hostname_is_ip", track.hostname_is_ip());
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, host.states_ref);
    lua_rawgeti(L, -1, need_lua_state(L, host, track));
    lua_remove(L, -2);
    lua_setfield(L, -2, "lua_state");
    set_boolean(L, "lua_in_cutoff", track.cutoff(false));
    set_boolean(L, "lua_out_cutoff", track.cutoff(true));
    set_number(L, "t_start", static_cast<double>(track.start_ns()) * 1e-9);

    lua_createtable(L, 0, 5);
    set_number(L, "dt", static_cast<double>(positions.last_ns - track.start_ns()) * 1e-9);
    push_side(L, positions.client, track.is_tcp());
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "client");
    lua_setfield(L, -2, direct_is_client ? "direct" : "reverse");
    push_side(L, positions.server, track.is_tcp());
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "server");
    lua_setfield(L, -2, direct_is_client ? "reverse" : "direct");
    lua_setfield(L, -2, "pos");
}

} // namespace nfqws2::lua
