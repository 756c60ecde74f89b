// Detectors of orchestrators against what they will see of answers
// (docs/contracts/libraries.md#learning).
#pragma once

#include "check/check_functions.hpp"

namespace nfqws2::app {

void check_detectors(const Profiles& profiles, const LuaGlobals& globals, Report& report);

} // namespace nfqws2::app
