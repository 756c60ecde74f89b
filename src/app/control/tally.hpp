// All that is counted, of all workers, for "counters" and "metrics".
#pragma once

#include "nfqws2/lua/desync.hpp"
#include "run/workers.hpp"

#include <cstdint>
#include <utility>
#include <vector>

namespace nfqws2::app {

// One worker, or the sum of all.
struct WorkerTally {
    unsigned worker = 0;
    engine::Counters counters;
    std::uint64_t flows = 0, flows_seen = 0, flows_evicted = 0, held_now = 0, queue_lost = 0;

    void add(const WorkerTally& other);
};

struct ProfileTally {
    engine::ProfileCounts counts;
    std::vector<lua::InstanceCounts> instances;
};

struct Tally {
    explicit Tally(profile::GenerationPtr of)
        : generation(std::move(of)), profiles(generation->profiles.size()) {}

    const profile::GenerationPtr generation; // whose profiles are counted
    std::vector<WorkerTally> workers;
    std::vector<ProfileTally> profiles; // in the same order

    // In the worker's thread.
    void take(const Worker& worker);
    WorkerTally total() const;
};

} // namespace nfqws2::app
