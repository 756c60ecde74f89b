// An engine with everything it needs, for one input: one engine for all of a kind would be faster
// but not reproducible.
#pragma once

#include "../support/engine_world.hpp"
#include "doors.hpp"

#include "nfqws2/base/memory_budget.hpp"

#include <string>

namespace nfqws2::fuzz {

struct Outside {
    NoDoor door;
    MemoryBudget memory{MemoryBudget::least};
};

class World : public Outside, public test::EngineWorld<VirtualClock> {
  public:
    World() : EngineWorld(make_seeded_random(1), 1'700'000'000'000'000'000) {}

    // False: these functions do not exist.
    bool open(profile::ProfileBuilder& builder, engine::Options options) {
        take(builder.finish().profiles);
        engine::Services all = services(door, door);
        all.memory = &memory;
        return start(std::move(options), std::move(all));
    }
};

} // namespace nfqws2::fuzz
