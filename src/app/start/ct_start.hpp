// Where facts about connections come from, decided before anything is opened
// (docs/contracts/command-line.md#connection-tracking).
#pragma once

#include "options/config.hpp"

namespace nfqws2::app {

// Sets engine.ct and says so. False: the source that was named cannot be had (logged).
bool choose_ct_source(Config& config);
// Requests of the kernel are needed.
bool needs_ct_requests(const Config& config);

} // namespace nfqws2::app
