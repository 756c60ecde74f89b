#include "nfqws2/engine/engine.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/engine/trace.hpp"
#include "nfqws2/lua/state.hpp"
#include "pipeline.hpp"

#include <algorithm>
#include <limits>
#include <new>

namespace nfqws2::engine {

unsigned default_lua_memory_mb() {
    return lua::default_memory_limit();
}

namespace {

std::size_t highest_number(const profile::ProfileSet& profiles) {
    std::size_t highest = 0;
    for (const auto& profile : profiles.all())
        highest = std::max<std::size_t>(highest, profile->number);
    return highest;
}

} // namespace

// Everything that lives as long as the engine; the way of a packet through it is the pipeline.
struct Engine::Impl {
    Impl(Options options, Services services);
    ~Impl();
    bool init_lua(const std::function<bool()>& stop_requested, std::optional<std::size_t>* failed);
    capture::Verdict process(const capture::InputPacket& packet);

    Options options;
    Services services;
    PacketClock now; // of connections and ip_cache
    std::unique_ptr<flow::ConnectionTable> connections;
    std::unique_ptr<flow::IpCache> own_ip_cache; // unless the workers share one
    flow::IpCache& ip_cache;
    std::unique_ptr<lua::Host> host;
    lua::State state;
    lua::Desync desync;
    Onlooker onlooker;
    Upkeep upkeep;
    Counters counters;
    std::vector<ProfileCounts> by_profile; // by number
    std::uint64_t timer_errors = 0;
    Pipeline pipeline;

  private:
    std::unique_ptr<flow::ConnectionTable> make_connections();
    void fill_host();
};

std::unique_ptr<flow::ConnectionTable> Engine::Impl::make_connections() {
    if (options.ctrack_disable) return nullptr;
    flow::TableOptions table = options.ctrack;
    table.memory = services.memory;
    return std::make_unique<flow::ConnectionTable>(table, now);
}

Engine::Impl::Impl(Options opts, Services svc)
    : options(std::move(opts)), services(std::move(svc)), now(*services.clock),
      connections(make_connections()),
      own_ip_cache(services.ip_cache != nullptr
                       ? nullptr
                       : std::make_unique<flow::IpCache>(options.ipcache_lifetime, now)),
      ip_cache(services.ip_cache != nullptr ? *services.ip_cache : *own_ip_cache),
      host(std::make_unique<lua::Host>()), state(*host), desync(*host),
      onlooker(services.trace, *services.sender, desync),
      upkeep(now, *services.lists, host->guard, services.memory),
      by_profile(highest_number(*services.profiles) + 1),
      pipeline({options, services, onlooker, now, connections.get(), ip_cache, *host, desync,
                upkeep, counters, by_profile}) {
    if (connections) connections->set_observer(&pipeline);
    fill_host();
}

// Tracks hold references into the Lua state, so they end first.
Engine::Impl::~Impl() {
    if (connections) connections->clear();
}

void Engine::Impl::fill_host() {
    host->clock = services.clock;
    host->random = services.random;
    host->sender = &onlooker;
    host->network = services.network;
    host->connections = connections.get();
    host->desync_fwmark = options.desync_fwmark;
    host->server_mode = options.server;
    host->file_gate = options.file_gate;
}

bool Engine::Impl::init_lua(const std::function<bool()>& stop_requested,
                            std::optional<std::size_t>* failed) {
    std::vector<lua::NamedBlob> blobs;
    std::size_t blob_bytes = 0;
    for (Blob& blob : options.blobs) {
        blob_bytes += blob.data.size();
        blobs.push_back({std::move(blob.name), std::move(blob.data)});
    }
    options.blobs.clear();
    upkeep.count_blobs(blob_bytes);
    lua::Globals globals;
    globals.version = options.version;
    globals.writable = options.writable;
    globals.qnum = options.qnum;
    globals.worker = options.worker;
    globals.debug = options.debug;
    globals.daemon = options.daemon;
    globals.server = options.server;
    globals.ipcache_hostname = options.ipcache_hostname;
    globals.ctrack_disable = options.ctrack_disable;
    host->guard.set_limits(
        {options.lua_call_ms, options.lua_memory_mb, options.lua_wait_ms, options.in_thread});
    if (!state.open(blobs, globals, options.seeded)) return false;
    std::vector<lua::InitItem> items;
    for (const LuaInit& item : options.lua_init) {
        items.push_back({item.is_file, item.text});
    }
    return state.run_init(items, stop_requested, failed);
}

// Without memory the packet passes as it came.
capture::Verdict Engine::Impl::process(const capture::InputPacket& packet) {
    try {
        return pipeline.process(packet);
    } catch (const std::bad_alloc&) {
        static thread_local log::RateLimit limit(1000);
        if (limit.allow()) log::error("out of memory: a packet passes untouched");
        return {};
    }
}

Engine::Engine(Options options, Services services)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(services))) {
}
Engine::~Engine() = default;

bool Engine::init_lua(const std::function<bool()>& stop_requested) {
    return impl_->init_lua(stop_requested, nullptr) &&
           impl_->desync.prepare(*impl_->services.profiles);
}

bool Engine::run_lua_init(const std::function<bool()>& stop_requested,
                          std::optional<std::size_t>* failed) {
    return impl_->init_lua(stop_requested, failed);
}

std::vector<std::pair<std::string, std::string>> Engine::lua_globals() const {
    return impl_->state.globals();
}

void Engine::interrupt() {
    impl_->state.interrupt();
}

void Engine::adopt() {
    impl_->host->guard.adopt();
}

capture::Verdict Engine::on_packet(const capture::InputPacket& packet) {
    const capture::Verdict verdict = impl_->process(packet);
    if (verdict.action == capture::Action::split) return verdict; // the pieces will be counted
    Counters& counters = impl_->counters;
    counters.packets++;
    counters.bytes += packet.data.size();
    switch (verdict.action) {
    case capture::Action::accept:
        counters.accepted++;
        break;
    case capture::Action::modify:
        counters.modified++;
        break;
    case capture::Action::drop:
        counters.dropped++;
        break;
    case capture::Action::split:
        break;
    }
    return verdict;
}

bool Engine::has_timers() const {
    return !impl_->host->timers.empty();
}

std::int64_t Engine::next_timer_ms() const {
    return impl_->host->timers.next_due_ms();
}

std::int64_t Engine::next_oneshot_ms() const {
    std::int64_t next = std::numeric_limits<std::int64_t>::max();
    impl_->host->timers.for_each([&next](const lua::Timer& timer) {
        if (timer.oneshot) next = std::min(next, timer.next_ms);
    });
    return next;
}

int Engine::next_wakeup_ms() const {
    impl_->now.update();
    std::int64_t wait = std::numeric_limits<int>::max();
    if (has_timers()) wait = std::max<std::int64_t>(0, next_timer_ms() - impl_->now.boot_ms());
    if (impl_->connections != nullptr) {
        const int purge = impl_->connections->next_purge_ms();
        if (purge >= 0) wait = std::min<std::int64_t>(wait, purge);
        const int release = impl_->connections->next_release_ms();
        if (release >= 0) wait = std::min<std::int64_t>(wait, release);
    }
    return wait == std::numeric_limits<int>::max() ? -1 : static_cast<int>(wait);
}

void Engine::run_timers() {
    lua::Host& host = *impl_->host;
    impl_->now.update();
    if (!host.timers.empty())
        impl_->timer_errors += host.timers.run_due(host.L, host.clock->boot_ms());
    if (impl_->connections != nullptr) {
        impl_->connections->purge();
        impl_->connections->release_overdue();
    }
    if (Trace* trace = impl_->services.trace) {
        trace->end_timers();
        trace->flush();
    }
}

void Engine::collect_garbage() {
    impl_->state.collect_garbage(impl_->options.lua_gc_s);
}

void Engine::release_held() {
    if (impl_->connections) impl_->connections->clear();
}

const Counters& Engine::counters() const {
    Counters& counters = impl_->counters;
    counters.lua_errors = impl_->desync.errors() + impl_->timer_errors;
    return counters;
}

ProfileCounts Engine::counts_of(std::uint32_t profile) const {
    return profile < impl_->by_profile.size() ? impl_->by_profile[profile] : ProfileCounts{};
}

std::span<const lua::InstanceCounts> Engine::instance_counts(std::uint32_t profile) const {
    return impl_->desync.counts(profile);
}

std::uint64_t Engine::flows_seen() const {
    return impl_->connections != nullptr ? impl_->connections->created() : 0;
}

std::uint64_t Engine::flows_evicted() const {
    return impl_->connections != nullptr ? impl_->connections->evicted() : 0;
}

std::uint32_t Engine::scan_flows(
    std::uint32_t cursor, std::size_t least,
    const std::function<void(const flow::Track&, std::int64_t now_ns)>& visit) const {
    if (impl_->connections == nullptr) return 0;
    impl_->now.update();
    const std::int64_t now = impl_->now.boot_ns();
    return impl_->connections->scan(cursor, least,
                                    [&](const flow::Track& track) { visit(track, now); });
}

bool Engine::watch(FlowWatcher& watcher) {
    if (impl_->services.trace != nullptr) return false;
    const auto worker =
        impl_->options.in_thread ? std::optional(impl_->options.worker) : std::nullopt;
    impl_->onlooker.set_watcher(&watcher, *impl_->services.clock, worker);
    return true;
}

void Engine::unwatch(const FlowWatcher& watcher) {
    if (impl_->onlooker.watcher() != &watcher) return;
    impl_->onlooker.set_watcher(nullptr, *impl_->services.clock, std::nullopt);
}

std::size_t Engine::flows() const {
    return impl_->connections != nullptr ? impl_->connections->size() : 0;
}

std::size_t Engine::held() const {
    return impl_->connections != nullptr ? impl_->connections->held_packets() : 0;
}

void Engine::dump_conntrack(const std::function<void(const std::string&)>& line) const {
    impl_->now.update();
    if (impl_->connections != nullptr) impl_->connections->dump(line);
}

void Engine::dump_ip_cache(const std::function<void(const std::string&)>& line) const {
    impl_->now.update();
    impl_->ip_cache.dump(line);
}

} // namespace nfqws2::engine
