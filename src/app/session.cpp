#include "nfqws2/app/session.hpp"

#include "nfqws2/base/log.hpp"

#include <cerrno>
#include <utility>

namespace nfqws2::app {
namespace {

constexpr std::size_t max_cached_addresses = 200'000;
} // namespace

std::string worker_label(unsigned worker, unsigned workers) {
    return workers > 1 ? "worker " + std::to_string(worker) + ": " : std::string();
}

Session::Session(Config& config, ProcessClock& clock, profile::ListStore& lists, unsigned workers,
                 Threads threads)
    : config_(config), clock_(clock), lists_(lists), workers_(workers), threads_(threads),
      seeded_(config.engine.seeded), profiles_(std::move(config.profiles), lists, clock),
      auto_hosts_(profiles_, lists, clock), memory_(config.memory_limit) {
    lists.count_in(&memory_);
    if (!config.auto_debug.path.empty() && !auto_hosts_.set_debug_log(config.auto_debug.path))
        log::os_error("cannot open '" + config.auto_debug.path + "'", errno);
    if (workers == 1) return;
    const bool shared = threads == Threads::one_each;
    ip_cache_.emplace(config.engine.ipcache_lifetime, clock, max_cached_addresses,
                      shared ? flow::IpCache::Use::shared : flow::IpCache::Use::one_thread);
    if (!shared) return;
    lists.share(workers);
    auto_hosts_.share();
}

Session::~Session() {
    lists_.count_in(nullptr);
}

// Limits that bound the memory of the process are divided.
engine::Options Session::options_of(unsigned number) {
    const bool last = number + 1 == workers_;
    engine::Options options = last ? std::move(config_.engine) : config_.engine;
    options.worker = number;
    options.in_thread = threads_ == Threads::one_each && workers_ > 1;
    options.qnum += options.qnum <= UINT16_MAX ? number : 0;
    options.ctrack.max_tracks = (options.ctrack.max_tracks + workers_ - 1) / workers_;
    options.ctrack.max_held_bytes /= workers_;
    return options;
}

Session::Member::Member(Session& s, unsigned number, Random& random, Surroundings around)
    : profiles(s.profiles_, number),
      trace(around.trace == nullptr ? std::nullopt
                                    : std::make_optional<engine::Trace>(
                                          *around.trace, s.clock_, !s.seeded_,
                                          s.workers_ > 1 ? std::optional(number) : std::nullopt)),
      engine(s.options_of(number),
             {&s.clock_, &random, &around.sender, &around.network, &profiles, &s.lists_,
              &s.auto_hosts_, std::move(around.ssid_of), trace ? &*trace : nullptr,
              s.ip_cache_ ? &*s.ip_cache_ : nullptr, &s.memory_}),
      runtime{s.config_, s.clock_,   s.lists_, s.auto_hosts_, engine,
              s.memory_, s.signals_, bell,     number,        worker_label(number, s.workers_)} {
}

void Session::add_worker(Random& random, Surroundings around) {
    const auto number = static_cast<unsigned>(members_.size());
    members_.push_back(std::make_unique<Member>(*this, number, random, std::move(around)));
    Member& member = *members_.back();
    if (number != 0) members_[number - 1]->runtime.next = &member.runtime;
    signals_.watch(member.engine, member.bell);
}

bool Session::run_lua_init(std::optional<std::size_t>* failed) {
    return members_[0]->engine.run_lua_init([this] { return signals_.quit(); }, failed);
}

bool Session::init_lua() {
    for (const auto& member : members_) {
        const log::Label label(member->runtime.label);
        if (!member->engine.init_lua([this] { return signals_.quit(); })) return false;
    }
    return true;
}

} // namespace nfqws2::app
