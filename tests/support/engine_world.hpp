// An engine with what it needs around it, for unit tests, fuzz targets and benches. Each brings its
// own doors, by a base class in front of this one: then the engine ends before them.
#pragma once

#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/engine/engine.hpp"
#include "nfqws2/profile/profile_builder.hpp"

#include <memory>
#include <utility>
#include <vector>

namespace nfqws2::test {

template <class Time> class EngineWorld {
  public:
    template <class... Begin>
    explicit EngineWorld(std::unique_ptr<Random> dice, Begin... begin)
        : clock(begin...), random(std::move(dice)) {}

    // What services() names, but the doors.
    Time clock;
    std::unique_ptr<Random> random;
    profile::ListStore lists{clock};
    std::unique_ptr<profile::ProfileSet> profiles;
    std::unique_ptr<profile::AutoHosts> auto_hosts;
    std::unique_ptr<engine::Engine> engine;

  protected:
    void take(std::vector<std::unique_ptr<profile::Profile>> built) {
        profiles = std::make_unique<profile::ProfileSet>(std::move(built), lists, clock);
        auto_hosts = std::make_unique<profile::AutoHosts>(*profiles, lists, clock);
    }
    engine::Services services(capture::PacketSender& sender, capture::NetworkInfo& network) {
        engine::Services all;
        all.clock = &clock;
        all.random = random.get();
        all.sender = &sender;
        all.network = &network;
        all.profiles = profiles.get();
        all.lists = &lists;
        all.auto_hosts = auto_hosts.get();
        return all;
    }
    // Whether its Lua state could be made. In place of an engine that was there.
    bool start(engine::Options options, engine::Services services) {
        engine.reset();
        engine = std::make_unique<engine::Engine>(std::move(options), std::move(services));
        return engine->init_lua({});
    }
};

} // namespace nfqws2::test
