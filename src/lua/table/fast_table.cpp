// Theory of operation. The C API needs a call, a hash of the key and a look-up for each of the
// roughly hundred fields of a `desync` table. LuaJIT compiles table constructors with constant keys
// to a copy of a template and plain stores, so the table is built by a Lua function that reads a C
// struct through the FFI. The function is loaded before the FFI is removed and only it keeps a
// reference. The bench is tests/bench/bridge_bench.cpp;
// tests/unit/lua/table/desync_table_test.cpp holds both ways against each other.
#include "errors.hpp"
#include "table/builder_text.hpp"
#include "table/desync_table.hpp"
#include "table/fill.hpp"

#include "nfqws2/base/log.hpp"

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

// The names of bits of a connection's status, by bit.
void push_status_names(lua_State* L) {
    lua_newtable(L);
    for (const packet::CtStatusName& one : packet::ct_status_names()) {
        push(L, one.name);
        lua_rawseti(L, -2, static_cast<int>(one.bit));
    }
}

// The compiled builder knows them as numbers.
static_assert(static_cast<int>(packet::L3::ipv4) == 1 && static_cast<int>(packet::L3::ipv6) == 2);
static_assert(static_cast<int>(packet::L4::tcp) == 1 && static_cast<int>(packet::L4::udp) == 2 &&
              static_cast<int>(packet::L4::icmp) == 3);

int push_protected(lua_State* L) {
    const auto& table = *static_cast<const DesyncTable*>(lua_touserdata(L, 1));
    table.push_by_api(L, *static_cast<const PacketView*>(lua_touserdata(L, 2)));
    return 1;
}

} // namespace

void DesyncTable::open(lua_State* L) {
    lua_newtable(L);
    profile_texts_ref_ = luaL_ref(L, LUA_REGISTRYINDEX);
    if (!is_luajit || !jit_is_on(L)) return;
    if (luaL_loadbuffer(L, builder_source.data(), builder_source.size(), builder_chunk) != 0) {
        log::error("LUA: %s", lua_tostring(L, -1));
        lua_pop(L, 1);
        return;
    }
    facts_ = std::make_unique<Facts>();
    lua_pushlightuserdata(L, facts_.get());
    lua_pushnumber(L, sizeof(Facts));
    push_names<protocol::Payload>(L);
    push_names<protocol::L7>(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, profile_texts_ref_);
    lua_rawgeti(L, LUA_REGISTRYINDEX, flows_.ref());
    push_status_names(L);
    if (lua_pcall(L, 7, 2, 0) != 0 || !lua_isfunction(L, -2)) {
        // No FFI in this build of LuaJIT: the C API way is always there.
        lua_settop(L, 0);
        facts_.reset();
        return;
    }
    // The library itself must not be collected: LuaJIT needs its finalizer table at lua_close.
    luaL_ref(L, LUA_REGISTRYINDEX);
    builder_ref_ = luaL_ref(L, LUA_REGISTRYINDEX);
}

void DesyncTable::prepare(lua_State* L, const profile::Profile& profile) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, profile_texts_ref_);
    if (const std::uint32_t place = name_place(profile); place != 0) {
        lua::push(L, profile.profile_name);
        lua_rawseti(L, -2, static_cast<int>(place));
    }
    if (const std::uint32_t place = cookie_place(profile); place != 0) {
        lua::push(L, *profile.cookie);
        lua_rawseti(L, -2, static_cast<int>(place));
    }
    lua_pop(L, 1);
}

void DesyncTable::forget(lua_State* L, const profile::Profile& profile) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, profile_texts_ref_);
    for (const std::uint32_t place : {name_place(profile), cookie_place(profile)}) {
        lua_rawgeti(L, -1, static_cast<int>(place));
        const bool there = !lua_isnil(L, -1);
        lua_pop(L, 1);
        if (!there) continue;
        lua_pushnil(L);
        lua_rawseti(L, -2, static_cast<int>(place));
    }
    lua_pop(L, 1);
}

bool DesyncTable::push(lua_State* L, const PacketView& view) {
    if (facts_ == nullptr || !compiler_.is_on()) {
        lua_pushcfunction(L, push_protected);
        lua_pushlightuserdata(L, this);
        lua_pushlightuserdata(L, const_cast<PacketView*>(&view));
        return lua_pcall(L, 2, 1, message_handler_index) == 0;
    }
    if (view.track != nullptr) flows_.need(L, *view.track);
    fill(*facts_, view);
    fill(facts_->dis, *view.dis);
    return push_facts(L);
}

bool DesyncTable::push_facts(lua_State* L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, builder_ref_);
    facts_->valid = {1};
    const bool built = lua_pcall(L, 0, 1, message_handler_index) == 0;
    facts_->valid = {0};
    return built;
}

} // namespace nfqws2::lua
