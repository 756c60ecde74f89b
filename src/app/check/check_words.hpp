// Words that are no options, values of which a part was skipped
// (docs/contracts/command-line.md#check).
#pragma once

#include "check/report.hpp"

namespace nfqws2::app {

void check_words(const Arguments& arguments, const ParseState& state, Report& report);

// Those without effect for a start, which goes on.
void warn_of_words(const Arguments& arguments, const ParseState& state);

} // namespace nfqws2::app
