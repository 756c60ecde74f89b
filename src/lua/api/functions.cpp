#include "api/functions.hpp"

namespace nfqws2::lua {

void register_functions(State& state, std::span<const NativeFunction> functions) {
    lua_State* L = state.lua();
    for (const NativeFunction& native : functions) {
        lua_pushlightuserdata(L, &state);
        lua_pushcclosure(L, native.function, 1);
        lua_setglobal(L, native.name);
    }
}

void register_all(State& state) {
    register_log_api(state);
    register_text_api(state);
    register_bit_api(state);
    register_random_api(state);
    register_crypto_api(state);
    register_gzip_api(state);
    register_system_api(state);
    register_packet_api(state);
    register_send_api(state);
    register_payload_api(state);
    register_control_api(state);
    register_timer_api(state);
    register_memory_api(state);
    register_store_api(state);
    register_ct_api(state);
    register_rules_api(state);
    register_modules(state);
    register_nflua_api(state);
}

} // namespace nfqws2::lua
