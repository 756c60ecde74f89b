#include "run/workers.hpp"

#include "nfqws2/base/log.hpp"

#include <utility>

namespace nfqws2::app {

Workers::Workers(Config& config, ProcessClock& clock, profile::ListStore& lists, unsigned count,
                 Threads threads)
    : shared_(config, clock, lists, count, threads) {
}

// A reload of rules rings for the workers, and finalizers of scripts ask what was counted.
Workers::~Workers() {
    if (!shared_.rules) return;
    shared_.rules->stop();
    shared_.rules->leave();
}

void Workers::add(Random& random, Outside outside) {
    const auto number = static_cast<unsigned>(workers_.size());
    workers_.push_back(std::make_unique<Worker>(shared_, number, random, std::move(outside)));
    Worker& worker = *workers_.back();
    if (number != 0) workers_[number - 1]->next = &worker;
    signals().watch(worker.engine, worker.bell);
    if (shared_.rules) shared_.rules->join(worker);
}

bool Workers::run_lua_init(std::optional<std::size_t>* failed) {
    return workers_[0]->engine.run_lua_init([this] { return signals().quit(); }, failed);
}

bool Workers::init_lua() {
    for (const auto& worker : workers_) {
        const log::Label label(worker->label);
        if (!worker->engine.init_lua([this] { return signals().quit(); })) return false;
    }
    return true;
}

} // namespace nfqws2::app
