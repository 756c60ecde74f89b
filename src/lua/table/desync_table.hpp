// Building the `desync` table of a packet (docs/contracts/lua-bridge.md#the-desync-table). Two ways
// to the same table: through the C API (api_table.cpp), and on LuaJIT by a compiled Lua function
// that reads a plain struct through the FFI (fast_table.cpp; several times cheaper; the FFI is
// taken away from scripts afterwards). While the compiler is off that function is interpreted,
// which costs more than the C API.
#pragma once

#include "flow_states.hpp"
#include "nfqws2/lua/compiler.hpp"
#include "nfqws2/lua/packet_view.hpp"
#include "nfqws2/profile/profile_set.hpp"
#include "table/facts.hpp"

#include <memory>

namespace nfqws2::lua {

class DesyncTable {
  public:
    DesyncTable(const FlowStates& flows, const Compiler& compiler)
        : flows_(flows), compiler_(compiler) {}

    // Loads the compiled builder if the engine has what it takes. As long as the FFI is there.
    void open(lua_State* L);
    // Texts of a profile are made into strings once; may raise an error. forget() may not.
    void prepare(lua_State* L, const profile::Profile& profile);
    void forget(lua_State* L, const profile::Profile& profile);
    // Pushes the table the fastest way there is, without `arg`, `func`, `func_n`, `func_instance`;
    // false: the error value instead.
    bool push(lua_State* L, const PacketView& view);

    // The C API way, which may raise an error.
    void push_by_api(lua_State* L, const PacketView& view) const;
    // A track table by itself (docs/contracts/lua-bridge.md#the-track-table). `positions` are
    // current ones or a snapshot; `direct_is_client`: which side is `direct`.
    void push_track(lua_State* L, flow::Track& track, const flow::Positions& positions,
                    bool direct_is_client) const;

    // The compiled way in two steps: what the builder reads, nullptr if there is no builder, and
    // the call. False: the error value is pushed instead.
    Facts* facts() { return facts_.get(); }
    bool push_facts(lua_State* L);

  private:
    const FlowStates& flows_;
    const Compiler& compiler_;
    int profile_texts_ref_ = LUA_NOREF, builder_ref_ = LUA_NOREF;
    std::unique_ptr<Facts> facts_;
};

} // namespace nfqws2::lua
