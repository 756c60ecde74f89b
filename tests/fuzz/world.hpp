// An engine with everything it needs, for one input: one engine for all of a kind would be faster
// but not reproducible.
#pragma once

#include "doors.hpp"

#include "nfqws2/base/memory_budget.hpp"
#include "nfqws2/engine/engine.hpp"
#include "nfqws2/profile/profile_builder.hpp"

#include <memory>
#include <string>

namespace nfqws2::fuzz {

class World {
  public:
    // False: these functions do not exist.
    bool open(profile::ProfileBuilder& builder, engine::Options options) {
        profiles = std::make_unique<profile::ProfileSet>(builder.finish().profiles, lists, clock);
        auto_hosts = std::make_unique<profile::AutoHosts>(*profiles, lists, clock);
        engine::Services services;
        services.clock = &clock;
        services.random = random.get();
        services.sender = &door;
        services.network = &door;
        services.profiles = profiles.get();
        services.lists = &lists;
        services.auto_hosts = auto_hosts.get();
        services.memory = &memory;
        engine = std::make_unique<engine::Engine>(std::move(options), services);
        return engine->init_lua({});
    }

    VirtualClock clock{1'700'000'000'000'000'000};
    std::unique_ptr<Random> random = make_seeded_random(1);
    NoDoor door;
    MemoryBudget memory{MemoryBudget::least};
    profile::ListStore lists{clock};
    std::unique_ptr<profile::ProfileSet> profiles;
    std::unique_ptr<profile::AutoHosts> auto_hosts;
    std::unique_ptr<engine::Engine> engine;
};

} // namespace nfqws2::fuzz
