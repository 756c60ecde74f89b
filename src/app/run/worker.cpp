#include "run/worker.hpp"

#include <utility>

namespace nfqws2::app {
namespace {

std::optional<engine::Trace> trace_of(const Shared& shared, unsigned number,
                                      const engine::TraceFile* file) {
    if (file == nullptr) return std::nullopt;
    return std::make_optional<engine::Trace>(*file, shared.clock, !shared.seeded,
                                             shared.workers > 1 ? std::optional(number)
                                                                : std::nullopt);
}

} // namespace

std::string worker_label(unsigned worker, unsigned workers) {
    return workers > 1 ? "worker " + std::to_string(worker) + ": " : std::string();
}

Worker::Worker(Shared& common, unsigned n, Random& random, Outside outside)
    : shared(common), number(n), label(worker_label(n, common.workers)),
      profiles(common.profiles, n), trace(trace_of(common, n, outside.trace)),
      engine(common.engine_options(n),
             {&common.clock, &random, &outside.sender, &outside.network, &profiles, &common.lists,
              &common.auto_hosts, std::move(outside.ssid_of), trace ? &*trace : nullptr,
              common.ip_cache ? &*common.ip_cache : nullptr, &common.memory, common.stores,
              outside.ct_requests, outside.queues, outside.messages, this,
              common.rules ? &common.rules->tables() : nullptr,
              common.rules ? common.rules->newest() : nullptr,
              common.rules ? [&common] { return common.rules->statistics(); }
                           : std::function<rules::Statistics()>()}) {
}

bool Worker::request(int exit_code) {
    if (!loops) return false;
    shared.signals.quit_with(exit_code);
    return true;
}

} // namespace nfqws2::app
