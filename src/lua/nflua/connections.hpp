// What scripts of NFLua know of connections: those of the kernel, or simulated ones where there is
// none.
#pragma once

#include "api/functions.hpp"

#include <span>

namespace nfqws2::lua {

struct DesyncCall;
struct NfluaHost;

// The packet that the running function of a script is shown; else an error.
const DesyncCall& check_nflua_call(lua_State* L, const NfluaHost& host);

// When the library is loaded: what cannot be asked of a kernel is simulated from then on.
void open_connections(State& state);
std::span<const NativeFunction> connection_functions(); // connid, traffic, delete_conntrack

} // namespace nfqws2::lua
