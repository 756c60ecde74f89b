// Runs without packets of others: timers only, or noise.
#pragma once

#include "run/worker.hpp"

namespace nfqws2::app {

// --intercept=0: until no timer is left, or INT or TERM. Returns the exit code.
int run_timers_only(Worker& worker);

// --fuzz: that many packets of random bytes, most with a plausible start.
void run_fuzz(Worker& worker, Random& random, unsigned count);

} // namespace nfqws2::app
