// Theory of operation: one turn serves requests (garbage, reload, dumps), waits for the queue, a
// signal or the next timer, handles one batch of packets with its verdicts, and runs due timers.
// While batches hold more than one packet the wait is left out: more is likely to be there, and an
// empty receive costs no more than the poll. A broken socket is opened again after growing pauses.
#include "nfqws2/app/loops.hpp"

#include "nfqws2/base/log.hpp"

namespace nfqws2::app {
namespace {

using capture::NfQueue;

// Batches in a row that are taken without a look at the clients of the control socket.
constexpr unsigned most_unwatched = 16;
constexpr int first_pause_ms = 1000, last_pause_ms = 16'000;

// False: the program should end, on request or because the queue cannot be had.
bool reopen(Runtime& run, NfQueue& queue, const NfQueue::Options& options) {
    queue.close();
    for (int pause = first_pause_ms; pause <= last_pause_ms && !run.signals.quit(); pause *= 2) {
        log::error("queue %u is lost, opening it again in %d s", options.number, pause / 1000);
        run.bell.wait(-1, pause);
        if (!run.signals.quit() && queue.open(options)) return true;
    }
    return false;
}

} // namespace

bool run_live(Runtime& run, NfQueue& queue, const NfQueue::Options& options) {
    bool more = false, broken = false;
    unsigned unwatched = 0;
    run.queue = &queue;
    MemoryShare sends(&run.memory, MemoryBudget::Part::sends);
    sends.set(queue.verdict_memory());
    while (!run.signals.quit() && !broken) {
        do_requests(run);
        const bool look = !more || (run.control != nullptr && ++unwatched == most_unwatched);
        if (look) unwatched = 0;
        const bool readable =
            (look && wait_for_work(run, queue.fd(), more ? 0 : run.engine.next_wakeup_ms())) ||
            more;
        if (run.signals.quit()) break; // what is queued passes unprocessed
        if (readable) {
            const auto before = queue.counters().packets;
            const auto result = queue.receive(run.engine, false);
            more = queue.counters().packets - before > 1;
            if (result == NfQueue::Received::broken) broken = !reopen(run, queue, options);
        }
        run.engine.run_timers();
    }
    run.queue = nullptr;
    run.engine.release_held();
    return !broken || run.signals.quit();
}

} // namespace nfqws2::app
