#include "tally.hpp"

namespace nfqws2::app {

void WorkerTally::add(const WorkerTally& other) {
    counters += other.counters;
    flows += other.flows;
    flows_seen += other.flows_seen;
    flows_evicted += other.flows_evicted;
    held_now += other.held_now;
    queue_lost += other.queue_lost;
}

void Tally::take(const Worker& worker) {
    const engine::Engine& engine = worker.engine;
    WorkerTally tally;
    tally.worker = worker.number;
    tally.counters = engine.counters();
    tally.flows = engine.flows();
    tally.flows_seen = engine.flows_seen();
    tally.flows_evicted = engine.flows_evicted();
    tally.held_now = engine.held();
    if (worker.queue != nullptr) tally.queue_lost = worker.queue->kernel_drops().value_or(0);
    workers.push_back(tally);

    // A worker that is about to get other profiles, or has them already, has counts of others.
    if (worker.profiles.generation() != generation) return;
    profiles.resize(generation->profiles.size());
    for (std::size_t i = 0; i < profiles.size(); i++) {
        const std::uint32_t number = generation->profiles[i]->number;
        const engine::ProfileCounts counts = engine.counts_of(number);
        profiles[i].counts.flows += counts.flows;
        profiles[i].counts.packets += counts.packets;
        const auto instances = engine.instances(number);
        profiles[i].instances.resize(instances.size());
        for (std::size_t n = 0; n < instances.size(); n++)
            profiles[i].instances[n] += instances[n].counts;
    }
}

WorkerTally Tally::total() const {
    WorkerTally sum;
    for (const WorkerTally& worker : workers)
        sum.add(worker);
    return sum;
}

} // namespace nfqws2::app
