#include "run/shared.hpp"

#include "nfqws2/base/log.hpp"

#include <cerrno>
#include <utility>

namespace nfqws2::app {
namespace {

constexpr std::size_t max_cached_addresses = 200'000;

} // namespace

Shared::Shared(Config& c, ProcessClock& clock_of_process, profile::ListStore& list_store,
               unsigned count, Threads how)
    : config(c), clock(clock_of_process), lists(list_store), workers(count), threads(how),
      seeded(c.engine.seeded), profiles(std::move(c.profiles), list_store, clock_of_process),
      auto_hosts(profiles, list_store, clock_of_process), memory(c.memory_limit) {
    lists.count_in(&memory);
    if (!config.auto_debug.path.empty() && !auto_hosts.set_debug_log(config.auto_debug.path))
        log::os_error("cannot open '" + config.auto_debug.path + "'", errno);
    if (workers == 1) return;
    const bool several_threads = threads == Threads::one_each;
    ip_cache.emplace(config.engine.ipcache_lifetime, clock, max_cached_addresses,
                     several_threads ? flow::IpCache::Use::shared : flow::IpCache::Use::one_thread);
    if (!several_threads) return;
    lists.share(workers);
    auto_hosts.share();
}

Shared::~Shared() {
    lists.count_in(nullptr);
    if (stores != nullptr) stores->count_in(nullptr);
}

void Shared::use(store::Stores& of_process) {
    stores = &of_process;
    stores->count_in(&memory);
}

TrafficRules& Shared::make_rules(Random& random) {
    rules::TableSetup setup;
    setup.shared = threads == Threads::one_each && workers > 1;
    setup.budget = &memory;
    if (seeded) setup.key = {random.next64(), random.next64()};
    return rules.emplace(config, clock, memory, setup);
}

bool Shared::load_rules(Random& random) {
    if (config.rules.program == nullptr) return true;
    return make_rules(random).load(std::move(config.rules_databases));
}

void Shared::show_rules(std::shared_ptr<const rules::InForce> read, Random& random) {
    if (read != nullptr) make_rules(random).show(std::move(read));
}

engine::Options Shared::engine_options(unsigned number) {
    const bool last = number + 1 == workers;
    engine::Options options = last ? std::move(config.engine) : config.engine;
    options.worker = number;
    options.in_thread = threads == Threads::one_each && workers > 1;
    options.qnum += options.qnum <= UINT16_MAX ? number : 0;
    options.ctrack.max_tracks = (options.ctrack.max_tracks + workers - 1) / workers;
    options.ctrack.max_held_bytes /= workers;
    return options;
}

} // namespace nfqws2::app
