// What --check says of the file of --rules.
#pragma once

#include "check/report.hpp"

namespace nfqws2::app {

void check_traffic_rules(Config& config, const ParseState& state, Report& report);

} // namespace nfqws2::app
