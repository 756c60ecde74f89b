// The `desync` table through the Lua C API: every engine can do this.
#include "nfqws2/lua/desync_table.hpp"

namespace nfqws2::lua {

namespace {

void set_string(lua_State* L, const char* name, std::string_view value) {
    push(L, value);
    lua_setfield(L, -2, name);
}

void set_number(lua_State* L, const char* name, std::uint32_t value) {
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, value);
#else
    lua_pushnumber(L, value);
#endif
    lua_setfield(L, -2, name);
}

void set_boolean(lua_State* L, const char* name, bool value) {
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

} // namespace

void push_desync_table(Host& host, const PacketView& view) {
    lua_State* L = host.L;
    lua_createtable(L, 0, 28);
    push_dissect(L, *view.dis);
    lua_setfield(L, -2, "dis");
    if (view.track != nullptr) {
        push_track(L, host, *view.track, *view.positions, view.from_client);
        lua_setfield(L, -2, "track");
    }
    set_number(L, "profile_n", view.profile->number);
    if (!view.profile->profile_name.empty())
        set_string(L, "profile_name", view.profile->profile_name);
    if (view.profile->cookie) set_string(L, "cookie", *view.profile->cookie);
    set_boolean(L, "outgoing", view.outgoing);
    if (!view.ifin.empty()) set_string(L, "ifin", view.ifin);
    if (!view.ifout.empty()) set_string(L, "ifout", view.ifout);
    set_number(L, "fwmark", view.fwmark);

    lua_createtable(L, 0, 2);
    push(L, view.target.bytes());
    lua_setfield(L, -2, view.target.version == 4 ? "ip" : "ip6");
    if (view.target_port != 0) set_number(L, "port", view.target_port);
    lua_setfield(L, -2, "target");

    set_boolean(L, "replay", view.replay.has_value());
    if (view.replay) {
        set_number(L, "replay_piece", view.replay->piece);
        set_number(L, "replay_piece_count", view.replay->count);
        set_boolean(L, "replay_piece_last", view.replay->piece == view.replay->count);
    }
    set_string(L, "l7payload", protocol::name(view.payload));
    set_string(L, "l7proto", protocol::name(view.l7));
    set_number(L, "reasm_offset", view.replay ? view.replay->offset : 0);
    if (view.reasm_data) {
        push(L, *view.reasm_data);
        lua_setfield(L, -2, "reasm_data");
    }
    if (view.decrypt_data) {
        push(L, *view.decrypt_data);
        lua_setfield(L, -2, "decrypt_data");
    }
    if (view.dis->l4 == packet::L4::tcp) {
        if (view.tcp_mss != 0)
            set_number(L, "tcp_mss", view.tcp_mss);
        else {
            lua_getglobal(L, "DEFAULT_MSS");
            lua_setfield(L, -2, "tcp_mss");
        }
    }
}

} // namespace nfqws2::lua
