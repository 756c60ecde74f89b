// math.random under --seed.
#pragma once

#include "nfqws2/lua/state.hpp"

namespace nfqws2::lua {

// math.random takes its numbers from the generator of the program, math.randomseed does nothing.
void seed_math_library(State& state);

} // namespace nfqws2::lua
