// What the native functions need from the process, in one place: services, options, the desync call
// in progress. Every native function is registered with a pointer to the Host as its first upvalue.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/capture/packet_io.hpp"
#include "nfqws2/flow/connection_table.hpp"
#include "nfqws2/lua/file_gate.hpp"
#include "nfqws2/lua/guard.hpp"
#include "nfqws2/lua/lua.hpp"
#include "nfqws2/lua/timers.hpp"
#include "nfqws2/packet/blueprint.hpp"
#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/packet/reconstruct.hpp"
#include "nfqws2/profile/profile.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nfqws2::lua {

// The desync function that is running right now. Lives on the engine's stack; `ctx` of Lua is valid
// exactly while Host::call points to one.
struct DesyncCall {
    flow::Track* track = nullptr;
    const profile::Profile* profile = nullptr;
    const profile::LuaInstance* instance = nullptr;
    bool outgoing = true;
    Bytes raw_packet;
    bool plan_cancelled = false; // set by execution_plan_cancel
};

struct Facts; // src/lua/table/facts.hpp

struct Host {
    Host();
    ~Host();

    lua_State* L = nullptr;
    Clock* clock = nullptr;
    Random* random = nullptr;
    capture::PacketSender* sender = nullptr;
    capture::NetworkInfo* network = nullptr;
    flow::ConnectionTable* connections = nullptr; // nullptr with --ctrack-disable
    const FileGate* file_gate = nullptr;          // nullptr: scripts may open anything
    std::uint32_t desync_fwmark = 0x40000000;
    bool server_mode = false;

    // Registry references of the engine's own: the table of all `lua_state` tables, and what the
    // compiled builder of the desync table needs (LUA_NOREF where there is none).
    int states_ref = LUA_NOREF, build_table_ref = LUA_NOREF, profile_texts_ref = LUA_NOREF;
    int memory_functions_ref = LUA_NOREF; // those of on_memory_low(), in a list
    std::unique_ptr<Facts> facts;

    DesyncCall* call = nullptr;
    std::uint64_t sent = 0; // packets that scripts have sent
    Guard guard;
    Timers timers{guard};

    // One reconstruction buffer, reused: the native functions run one at a time.
    std::array<std::uint8_t, 65536> scratch;
    packet::BlueprintScratch blueprint;
    std::string rebuild_error;   // of the last rebuild() that failed
    std::string pending_warning; // of Lua's warn(), until its last part
};

// The Host of a native function (upvalue 1).
inline Host& host_of(lua_State* L) {
    return *static_cast<Host*>(lua_touserdata(L, lua_upvalueindex(1)));
}

struct NativeFunction {
    const char* name;
    lua_CFunction function;
};
// Sets each as a global with the Host as upvalue.
void register_functions(Host& host, std::span<const NativeFunction> functions);

// One per group of docs/contracts/native-functions.md, each in its own file api_<group>.cpp.
void register_log_api(Host& host);
void register_text_api(Host& host); // ntop pton parse_hex
void register_bit_api(Host& host);
void register_random_api(Host& host);
void register_crypto_api(Host& host); // also bxor bor band
void register_gzip_api(Host& host);
void register_system_api(Host& host);
void register_packet_api(Host& host);
void register_send_api(Host& host);
void register_payload_api(Host& host);
void register_control_api(Host& host); // creates the ctx metatable
void register_timer_api(Host& host);
void register_memory_api(Host& host); // on_memory_low
void register_all(Host& host);
// The numeric constants (docs/contracts/lua-bridge.md#globals).
void register_constants(Host& host);

// --- shared between the API files and the engine ------------------------------------------------

// Pushes a dissect table (docs/contracts/wire.md#the-dissect-table).
void push_dissect(lua_State* L, const packet::Dissect& d);

// Pushes a track table (docs/contracts/lua-bridge.md#the-track-table). `positions` are current ones
// or a snapshot; `outgoing` and `server_mode` decide which side is `direct`.
void push_track(lua_State* L, Host& host, flow::Track& track, const flow::Positions& positions,
                bool direct_is_client);

// The flow's `lua_state` lives in the table host.states_ref under track.lua_ref(): made on demand,
// dropped when the track ends.
int need_lua_state(lua_State* L, Host& host, flow::Track& track);
void drop_lua_state(Host& host, flow::Track& track);

// Pushes the one userdata that stands for the running call (metatable "desync_ctx").
void push_ctx(Host& host);

// Rebuilds the packet described by the dissect table at `index` of host.L into host.scratch. Never
// raises a Lua error (bad types are reported as failure). Result: bytes in host.scratch, or empty
// and *error.
struct RebuildOptions {
    bool keepsum = false, badsum = false, ip6_preserve_next = false;
    bool last_proto_named = false; // ip6_last_proto was given, be it 59
    std::uint8_t ip6_last_proto = 59;
};
Bytes rebuild_dissect(Host& host, int index, const RebuildOptions& options, std::string* error);

} // namespace nfqws2::lua
