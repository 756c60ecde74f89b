// The native functions of scripts, one group of docs/contracts/native-functions.md a file. Every
// one is registered with a pointer to the State as its first upvalue.
#pragma once

#include "nfqws2/lua/state.hpp"

#include <span>

namespace nfqws2::lua {

// The State of a native function.
inline State& state_of(lua_State* L) {
    return *static_cast<State*>(lua_touserdata(L, lua_upvalueindex(1)));
}

struct NativeFunction {
    const char* name;
    lua_CFunction function;
};
// Sets each as a global.
void register_functions(State& state, std::span<const NativeFunction> functions);

void register_log_api(State& state);
void register_text_api(State& state); // ntop pton parse_hex
void register_bit_api(State& state);
void register_random_api(State& state);
void register_crypto_api(State& state); // also bxor bor band
void register_gzip_api(State& state);
void register_system_api(State& state);
void register_packet_api(State& state);
void register_send_api(State& state);
void register_payload_api(State& state);
void register_control_api(State& state); // creates the ctx metatable
void register_timer_api(State& state);
void register_memory_api(State& state); // on_memory_low
void register_store_api(State& state);
void register_ct_api(State& state); // ct_set ct_expect ct_lookup
void register_rules_api(
    State& state); // rule_mark rule_mark_set rule_mark_del rules_check rules_stats
void register_modules(State& state);   // what `require` finds: nfct, nfq
void register_nflua_api(State& state); // nflua_enable
void register_all(State& state);
// The numeric constants (docs/contracts/lua-bridge.md#globals).
void register_constants(lua_State* L);

} // namespace nfqws2::lua
