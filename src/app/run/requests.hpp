// What is done between packets on somebody's request: garbage collection, reload, dumps,
// and the clients of the control socket.
#pragma once

#include "run/worker.hpp"

namespace nfqws2::app {

void do_requests(Worker& worker);

// Sleeps as Bell::wait() until `timeout_ms` have passed, or there is something to do, be it for a
// client of the control socket.
bool wait_for_work(Worker& worker, int fd, int timeout_ms);

} // namespace nfqws2::app
