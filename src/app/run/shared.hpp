// What all workers share, from Lua init to the end of the run.
#pragma once

#include "nfqws2/base/memory_budget.hpp"
#include "nfqws2/flow/ip_cache.hpp"
#include "nfqws2/profile/auto_hosts.hpp"
#include "nfqws2/profile/list_store.hpp"
#include "nfqws2/profile/profile_set.hpp"
#include "nfqws2/store/stores.hpp"
#include "options/config.hpp"
#include "run/process_clock.hpp"
#include "run/signals.hpp"
#include "run/traffic_rules.hpp"

#include <cstdint>
#include <optional>

namespace nfqws2::app {

// One thread for each worker or one for all of them.
enum class Threads : std::uint8_t { one, one_each };

struct Shared {
    // Takes the profiles out of the configuration.
    Shared(Config& config, ProcessClock& clock, profile::ListStore& lists, unsigned workers,
           Threads threads);
    ~Shared();
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;

    // What scripts remember; it has to live longer. Before a worker is made.
    void use(store::Stores& of_process);

    // Brings the compiled rules of the configuration in force. False: logged. Before a worker is
    // made.
    bool load_rules(Random& random);
    // For --check: what was read already. Nothing is written.
    void show_rules(std::shared_ptr<const rules::InForce> read, Random& random);

    // Those of the engine of a worker, with its part of what bounds the memory of the process. The
    // last one takes the Lua options out of the configuration.
    engine::Options engine_options(unsigned number);

    Config& config;
    ProcessClock& clock;
    profile::ListStore& lists;
    const unsigned workers;
    const Threads threads;
    const bool seeded;
    profile::ProfileSet profiles; // each worker sees them with counters of its own
    profile::AutoHosts auto_hosts;
    MemoryBudget memory;
    std::optional<flow::IpCache> ip_cache; // with several workers
    store::Stores* stores = nullptr;
    std::optional<TrafficRules> rules; // with --rules
    Signals signals;

  private:
    TrafficRules& make_rules(Random& random);
};

} // namespace nfqws2::app
