#include "run/requests.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/control/server.hpp"
#include "reload/reloader.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace nfqws2::app {
namespace {

// Of two times to wait, of which -1 is for ever.
int sooner(int one_ms, int other_ms) {
    if (one_ms < 0 || other_ms < 0) return std::max(one_ms, other_ms);
    return std::min(one_ms, other_ms);
}

void print_line(const std::string& line) {
    log::report_text(line);
}

void dump_connections(const Worker& worker) {
    log::report_text("\nCONNTRACK DUMP\n");
    worker.engine.dump_conntrack(print_line);
    log::report_text("\n");
    if (worker.next == nullptr) {
        log::report_text(worker.shared.memory.report());
        log::report_text(worker.shared.config.fence_status);
    }
    if (worker.queue == nullptr) return;
    log::report_text(std::to_string(worker.queue->kernel_drops().value_or(0)) +
                     " packets passed unprocessed because the queue was full");
}

// Flows belong to the worker's own thread, so each prints its part and passes the word on.
void take_turn_to_dump(Worker& worker) {
    worker.dump = false;
    dump_connections(worker);
    if (worker.next == nullptr) return;
    worker.next->dump = true;
    worker.next->bell.ring();
}

void dump_pools(const Worker& worker) {
    log::report_text("\nHOSTFAIL POOL DUMP\n");
    worker.shared.auto_hosts.dump(print_line);
    log::report_text("\nIPCACHE\n");
    worker.engine.dump_ip_cache(print_line);
    if (worker.shared.rules) worker.shared.rules->dump();
    log::report_text("\n");
}

// Beside the clients of the control socket what scripts have attached.
bool wait_with_attached(Worker& worker, int fd, int timeout_ms) {
    if (worker.engine.attached_have_more()) timeout_ms = 0;
    std::span<pollfd> clients;
    if (worker.control != nullptr) clients = worker.control->watched();
    const std::span<pollfd> attached = worker.engine.attached();
    std::array<pollfd, Bell::most_others> all;
    std::ranges::copy(clients, all.begin());
    std::ranges::copy(attached, all.begin() + static_cast<long>(clients.size()));
    const auto used = std::span(all).first(clients.size() + attached.size());
    const bool readable = worker.bell.wait(fd, timeout_ms, used);
    for (std::size_t i = 0; i < used.size(); i++)
        (i < clients.size() ? clients[i] : attached[i - clients.size()]).revents = used[i].revents;
    return readable;
}

} // namespace

bool wait_for_work(Worker& worker, int fd, int timeout_ms) {
    if (worker.reloader != nullptr) timeout_ms = sooner(timeout_ms, worker.reloader->wait_ms());
    if (worker.control != nullptr) timeout_ms = sooner(timeout_ms, worker.control->wait_ms());
    if (worker.number == 0 && worker.shared.rules)
        timeout_ms = sooner(timeout_ms, worker.shared.rules->wait_ms());
    if (worker.engine.has_attached()) return wait_with_attached(worker, fd, timeout_ms);
    if (worker.control == nullptr) return worker.bell.wait(fd, timeout_ms);
    return worker.bell.wait(fd, timeout_ms, worker.control->watched());
}

void do_requests(Worker& worker) {
    worker.engine.collect_garbage();
    if (worker.engine.has_attached()) worker.engine.serve_attached();
    if (worker.errands.waiting()) worker.errands.run(worker);
    if (worker.reloader != nullptr) worker.reloader->turn();
    if (worker.control != nullptr) worker.control->turn();
    if (worker.take_code) worker.take_code();
    if (worker.shared.rules) worker.shared.rules->turn(worker);
    if (worker.number == 0) {
        if (worker.shared.signals.take_hup()) {
            log::status("HUP received ! Lists will be reloaded.");
            worker.shared.lists.request_reload();
            if (worker.shared.rules) worker.shared.rules->request_reload();
            if (worker.shared.config.reload_on_hup && worker.reloader != nullptr)
                worker.reloader->begin_in_turn();
        }
        if (worker.shared.signals.take_usr1()) {
            worker.dump = true;
            if (worker.shared.rules) worker.shared.rules->write_statistics();
        }
        if (worker.shared.signals.take_usr2()) dump_pools(worker);
    }
    if (worker.dump.load(std::memory_order_relaxed)) take_turn_to_dump(worker);
}

} // namespace nfqws2::app
