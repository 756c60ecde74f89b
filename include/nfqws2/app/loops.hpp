// The three ways to spend the run: packets from the kernel, packets from a file, timers only.
#pragma once

#include "nfqws2/app/bell.hpp"
#include "nfqws2/app/config.hpp"
#include "nfqws2/app/errands.hpp"
#include "nfqws2/app/process_clock.hpp"
#include "nfqws2/app/signals.hpp"
#include "nfqws2/capture/nfqueue.hpp"

#include <atomic>
#include <string>

namespace nfqws2::control {
class Server;
}

namespace nfqws2::capture {
class PcapSink;
class PcapSource;
} // namespace nfqws2::capture

namespace nfqws2::app {

class Session;
struct Runtime;

// What the loop of a worker needs. Worker 0 is the main thread: it does what is to be done once.
struct Runtime {
    const Config& config;
    ProcessClock& clock;
    profile::ListStore& lists;
    profile::AutoHosts& auto_hosts;
    engine::Engine& engine;
    MemoryBudget& memory;
    Signals& signals;
    Bell& bell;
    unsigned worker = 0;
    std::string label;                       // of its log lines, "" if there is one worker only
    std::atomic<bool> dump{false};           // asked to print its flows
    Runtime* next = nullptr;                 // prints after this one
    const capture::NfQueue* queue = nullptr; // while packets come from one
    control::Server* control = nullptr;      // of the first worker: who may ask
    Errands errands{};                       // that the control socket's clients ask of this one
};

// Sleeps as Bell::wait() until `timeout_ms` have passed, or there is something to do.
bool wait_for_work(Runtime& run, int fd, int timeout_ms);

// Garbage collection, reload and dumps: what is done between packets on somebody's request.
void do_requests(Runtime& run);

// Until INT, TERM or Signals::stop(). The queue is open and stays so. False: it is lost.
bool run_live(Runtime& run, capture::NfQueue& queue, const capture::NfQueue::Options& options);

// --intercept=0: until no timer is left, or INT or TERM.
int run_timers_only(Runtime& run);

// --fuzz: that many packets of random bytes, most with a plausible start.
void run_fuzz(Runtime& run, Random& random, unsigned count);

#if NFQWS2_HAVE_PCAP
// The whole capture; the clock stands at its first stamp. Prints the summary; exit code 0, 2 or 3.
int run_offline(Session& session, capture::PcapSource& source, capture::PcapSink& sink);
#endif

} // namespace nfqws2::app
