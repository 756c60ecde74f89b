// Random byte strings (docs/contracts/native-functions.md#random-bytes).
#include "api/arguments.hpp"
#include "api/functions.hpp"

namespace nfqws2::lua {

namespace {

MutBytes check_length(lua_State* L, const char* name, const char* error_name) {
    check_count(L, name, 1);
    const std::int64_t length = check_int(L, 1);
    if (length < 0) luaL_error(L, "%s: invalid arg", error_name);
    return push_memory(L, length);
}

int brandom(lua_State* L) {
    const MutBytes out = check_length(L, "brandom", "brandom");
    state_of(L).services().random.fill(out);
    push(L, Bytes(out));
    return 1;
}

// The error names brandom, as scripts know it.
int pick_letters(lua_State* L, const char* name, std::string_view alphabet) {
    const MutBytes out = check_length(L, name, "brandom");
    Random& random = state_of(L).services().random;
    const auto size = static_cast<std::uint32_t>(alphabet.size());
    for (std::uint8_t& letter : out)
        letter = static_cast<std::uint8_t>(alphabet[random.below(size)]);
    push(L, Bytes(out));
    return 1;
}

constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

int brandom_az(lua_State* L) {
    return pick_letters(L, "brandom_az", alphabet.substr(0, 26));
}

int brandom_az09(lua_State* L) {
    return pick_letters(L, "brandom_az09", alphabet);
}

int bcryptorandom(lua_State* L) {
    const MutBytes out = check_length(L, "bcryptorandom", "bcryptorandom");
    if (!state_of(L).services().random.fill_secure(out))
        return luaL_error(L, "could not get entropy bytes");
    push(L, Bytes(out));
    return 1;
}

} // namespace

void register_random_api(State& state) {
    static constexpr NativeFunction functions[] = {
        {"brandom", brandom},
        {"brandom_az", brandom_az},
        {"brandom_az09", brandom_az09},
        {"bcryptorandom", bcryptorandom},
    };
    register_functions(state, functions);
}

} // namespace nfqws2::lua
