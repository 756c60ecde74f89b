// The numbers of the strategies that orchestrators choose from, and the numbers among their
// arguments (docs/contracts/libraries.md#learning).
#pragma once

#include "check/check_functions.hpp"

namespace nfqws2::app {

void check_strategies(const Profiles& profiles, Report& report);

} // namespace nfqws2::app
