// What is done between packets on somebody's request: garbage collection, reload and dumps.
#pragma once

#include "run/worker.hpp"

namespace nfqws2::app {

void do_requests(Worker& worker);

} // namespace nfqws2::app
