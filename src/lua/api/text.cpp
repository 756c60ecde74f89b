// Addresses and hex as text (docs/contracts/native-functions.md#addresses-and-hex).
#include "api/arguments.hpp"
#include "api/functions.hpp"

#include <arpa/inet.h>

namespace nfqws2::lua {

namespace {

int ntop(lua_State* L) {
    check_count(L, "ntop", 1);
    const Bytes raw = check_string(L, 1);
    char text[INET6_ADDRSTRLEN];
    const int family = raw.size() == 4 ? AF_INET : raw.size() == 16 ? AF_INET6 : AF_UNSPEC;
    if (family != AF_UNSPEC && inet_ntop(family, raw.data(), text, sizeof text))
        lua_pushstring(L, text);
    else
        lua_pushnil(L);
    return 1;
}

int pton(lua_State* L) {
    check_count(L, "pton", 1);
    const char* text = reinterpret_cast<const char*>(check_string(L, 1).data());
    std::uint8_t raw[16];
    if (inet_pton(AF_INET, text, raw) == 1)
        push(L, Bytes(raw, 4));
    else if (inet_pton(AF_INET6, text, raw) == 1)
        push(L, Bytes(raw, 16));
    else
        lua_pushnil(L);
    return 1;
}

int hex_digit(std::uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

int parse_hex(lua_State* L) {
    check_count(L, "parse_hex", 1);
    const Bytes text = check_string(L, 1);
    const MutBytes out = push_memory(L, static_cast<std::int64_t>(text.size() / 2));
    bool good = text.size() % 2 == 0;
    for (std::size_t i = 0; good && i < out.size(); i++) {
        const int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        good = high >= 0 && low >= 0;
        out[i] = static_cast<std::uint8_t>(good ? high << 4 | low : 0);
    }
    if (good)
        push(L, Bytes(out));
    else
        lua_pushnil(L);
    return 1;
}

} // namespace

void register_text_api(State& state) {
    static constexpr NativeFunction functions[] = {
        {"ntop", ntop},
        {"pton", pton},
        {"parse_hex", parse_hex},
    };
    register_functions(state, functions);
}

} // namespace nfqws2::lua
