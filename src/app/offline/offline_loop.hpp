// A run over a capture.
#pragma once

#include "run/workers.hpp"

namespace nfqws2::capture {
class PcapSink;
class PcapSource;
} // namespace nfqws2::capture

namespace nfqws2::app {

class CaptureQueues;

inline constexpr int exit_capture_error = 2, exit_lua_error = 3;

#if NFQWS2_HAVE_PCAP
// The whole capture; the clock stands at its first stamp. Prints the summary; exit code 0, 2 or 3.
int run_offline(Workers& workers, capture::PcapSource& source, capture::PcapSink& sink);
// The program of --lua-run, which reads the capture through its queues. Also exit code 1: it
// failed.
int run_offline_script(Worker& worker, Workers& workers, CaptureQueues& queues,
                       capture::PcapSource& source, capture::PcapSink& sink);
#endif

} // namespace nfqws2::app
