#include "nfqws2/app/loops.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/control/server.hpp"

namespace nfqws2::app {
namespace {

void print_line(const std::string& line) {
    log::status_text(line);
}

void dump_connections(const Runtime& run) {
    log::status_text("\nCONNTRACK DUMP\n");
    run.engine.dump_conntrack(print_line);
    log::status_text("\n");
    if (run.next == nullptr) {
        log::status_text(run.memory.report());
        log::status_text(run.config.fence_status);
    }
    if (run.queue == nullptr) return;
    log::status("%llu packets passed unprocessed because the queue was full",
                static_cast<unsigned long long>(run.queue->kernel_drops().value_or(0)));
}

// Flows belong to the worker's own thread, so each prints its part and passes the word on.
void take_turn_to_dump(Runtime& run) {
    run.dump = false;
    dump_connections(run);
    if (run.next == nullptr) return;
    run.next->dump = true;
    run.next->bell.ring();
}

void dump_pools(const Runtime& run) {
    log::status_text("\nHOSTFAIL POOL DUMP\n");
    run.auto_hosts.dump(print_line);
    log::status_text("\nIPCACHE\n");
    run.engine.dump_ip_cache(print_line);
    log::status_text("\n");
}

} // namespace

bool wait_for_work(Runtime& run, int fd, int timeout_ms) {
    if (run.control == nullptr) return run.bell.wait(fd, timeout_ms);
    const int wait_ms = run.control->wait_ms();
    if (wait_ms >= 0 && (timeout_ms < 0 || wait_ms < timeout_ms)) timeout_ms = wait_ms;
    return run.bell.wait(fd, timeout_ms, run.control->watched());
}

void do_requests(Runtime& run) {
    run.engine.collect_garbage();
    if (run.errands.waiting()) run.errands.run(run);
    if (run.control != nullptr) run.control->turn();
    if (run.worker == 0) {
        if (run.signals.take_hup()) {
            log::status("HUP received ! Lists will be reloaded.");
            run.lists.request_reload();
        }
        if (run.signals.take_usr1()) run.dump = true;
        if (run.signals.take_usr2()) dump_pools(run);
    }
    if (run.dump.load(std::memory_order_relaxed)) take_turn_to_dump(run);
}

} // namespace nfqws2::app
