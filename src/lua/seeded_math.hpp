// math.random under --seed.
#pragma once

#include "nfqws2/lua/host.hpp"

namespace nfqws2::lua {

// math.random takes its numbers from host.random, math.randomseed does nothing.
void seed_math_library(Host& host);

} // namespace nfqws2::lua
