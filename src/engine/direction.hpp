// Which way does the packet go, whom is it about (docs/contracts/flows.md#direction-and-target)?
#pragma once

#include "passage.hpp"

namespace nfqws2::engine {

// --server turns what scripts call "in" and "out".
void set_flow_direction(Passage& p, bool reverse, bool server_mode);
// Without a track the interfaces are all there is: PREROUTING and INPUT have no output interface.
// --server does not invert this guess.
void guess_direction(Passage& p);
void set_target(Passage& p, bool server_mode);

} // namespace nfqws2::engine
