// What an instance of `nflua` asks of a packet before its function is called
// (docs/nflua.md#calling). Theory of operation. Calls cost more than all the rest of a packet, and
// such conditions are made to let few packets through. So they are looked at before the `desync`
// table of the packet is built. What they are is told by the library, which reads the arguments of
// an instance here as it does in a call: once, when the first packet comes. Arguments that are
// substituted or bad are left to the call and its messages, and so is everything once another
// function has the name.
#pragma once

#include "api/functions.hpp"

#include "nfqws2/lua/eras.hpp"
#include "nfqws2/packet/dissect.hpp"

#include <span>

namespace nfqws2::lua {

// Whether the conditions of the instance are known not to hold. `dis`: of the packet as scripts see
// it, nullptr if one may have changed what it sees. May raise an error.
bool conditions_refuse(State& state, PreparedInstance& instance, const packet::Dissect* dis);

std::span<const NativeFunction> condition_functions(); // conditions, match_mask

} // namespace nfqws2::lua
