#include "nfqws2/lua/host.hpp"

namespace nfqws2::lua {

void register_functions(Host& host, std::span<const NativeFunction> functions) {
    lua_State* L = host.L;
    for (const NativeFunction& native : functions) {
        lua_pushlightuserdata(L, &host);
        lua_pushcclosure(L, native.function, 1);
        lua_setglobal(L, native.name);
    }
}

void register_all(Host& host) {
    register_log_api(host);
    register_text_api(host);
    register_bit_api(host);
    register_random_api(host);
    register_crypto_api(host);
    register_gzip_api(host);
    register_system_api(host);
    register_packet_api(host);
    register_send_api(host);
    register_payload_api(host);
    register_control_api(host);
    register_timer_api(host);
    register_memory_api(host);
}

} // namespace nfqws2::lua
