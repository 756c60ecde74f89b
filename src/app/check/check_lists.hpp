// Empty lists, entries of lists that never match, templates that nobody imports
// (docs/contracts/command-line.md#check).
#pragma once

#include "check/report.hpp"
#include "options/config.hpp"

namespace nfqws2::app {

void check_lists(const Config& config, Report& report);

} // namespace nfqws2::app
