// Theory of operation: one turn serves requests (garbage, reload, dumps), waits for the queue, a
// signal or the next timer, handles one batch of packets with its verdicts, and runs due timers.
// While batches hold more than one packet the wait is left out: more is likely to be there, and an
// empty receive costs no more than the poll. A broken socket is opened again after growing pauses.
#include "run/queue_loop.hpp"

#include "nfqws2/base/log.hpp"
#include "run/requests.hpp"

namespace nfqws2::app {
namespace {

using capture::NfQueue;

// Batches in a row that are taken without a look at the clients of the control socket.
constexpr unsigned most_unwatched = 16;
constexpr int first_pause_ms = 1000, last_pause_ms = 16'000;

// False: the program should end, on request or because the queue cannot be had.
bool reopen(Worker& worker, NfQueue& queue, const NfQueue::Options& options) {
    const Signals& signals = worker.shared.signals;
    queue.close();
    for (int pause = first_pause_ms; pause <= last_pause_ms && !signals.quit(); pause *= 2) {
        log::error("queue %u is lost, opening it again in %d s", options.number, pause / 1000);
        worker.bell.wait(-1, pause);
        if (!signals.quit() && queue.open(options)) return true;
    }
    return false;
}

} // namespace

bool run_queue(Worker& worker, NfQueue& queue, const NfQueue::Options& options) {
    const Signals& signals = worker.shared.signals;
    bool more = false, broken = false;
    unsigned unwatched = 0;
    worker.queue = &queue;
    worker.loops = true;
    MemoryShare sends(&worker.shared.memory, MemoryBudget::Part::sends);
    sends.set(queue.verdict_memory());
    while (!signals.quit() && !broken) {
        do_requests(worker);
        const bool watches =
            worker.control != nullptr || worker.take_code || worker.engine.has_attached();
        const bool look = !more || (watches && ++unwatched == most_unwatched);
        if (look) unwatched = 0;
        const int wait_ms = more ? 0 : worker.engine.next_wakeup_ms();
        const bool readable = (look && wait_for_work(worker, queue.fd(), wait_ms)) || more;
        if (signals.quit()) break; // what is queued passes unprocessed
        if (readable) {
            const auto before = queue.counters().packets;
            const auto result = queue.receive(worker.engine, false);
            more = queue.counters().packets - before > 1;
            if (result == NfQueue::Received::broken) broken = !reopen(worker, queue, options);
        }
        worker.engine.run_timers();
    }
    worker.loops = false;
    worker.queue = nullptr;
    worker.engine.release_held();
    return !broken || signals.quit();
}

} // namespace nfqws2::app
