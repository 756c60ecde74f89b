// Profiles that are never selected (docs/contracts/command-line.md#check).
#pragma once

#include "check/report.hpp"

namespace nfqws2::app {

void check_profiles(const Profiles& profiles, Report& report);

} // namespace nfqws2::app
