// A run over the packets of a queue of the kernel.
#pragma once

#include "nfqws2/capture/nfqueue.hpp"
#include "run/worker.hpp"

namespace nfqws2::app {

// Until INT, TERM or Signals::stop(). The queue is open and stays so. False: it is lost.
bool run_queue(Worker& worker, capture::NfQueue& queue, const capture::NfQueue::Options& options);

} // namespace nfqws2::app
