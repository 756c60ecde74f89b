// What --check says of the file of --rules.
#pragma once

#include "check/report.hpp"

#include <memory>

namespace nfqws2::app {

// What was read of them; nullptr: none, or with errors.
std::shared_ptr<const rules::InForce> check_traffic_rules(Config& config, const ParseState& state,
                                                          Report& report);

} // namespace nfqws2::app
