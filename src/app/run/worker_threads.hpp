// Each worker in a thread, reading the queue of its sockets.
#pragma once

#include "run/worker_sockets.hpp"
#include "run/workers.hpp"

#include <memory>
#include <vector>

namespace nfqws2::app {

using SocketsOfWorkers = std::vector<std::unique_ptr<WorkerSockets>>;

// Runs all workers, the first in the calling thread, until INT or TERM came or a queue is lost for
// good. The queues are open, and closed at the end. Returns the exit code.
int run_threads(Workers& workers, const SocketsOfWorkers& sockets);

} // namespace nfqws2::app
