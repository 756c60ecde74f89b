#include "nfqws2/engine/engine.hpp"
#include "nfqws2/flow/past_hosts.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/engine/trace.hpp"
#include "nfqws2/lua/attachments.hpp"
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

// What SIGUSR1 says of it, behind the other fields. The host came from the network.
std::string learned_text(const lua::Learned& learned) {
    return " learn=" + printable(learned.host) + " strategy=" + std::to_string(learned.strategy) +
           " why=" + printable(learned.why) +
           " result=" + (learned.result.empty() ? "-" : printable(learned.result));
}

} // namespace

// Everything that lives as long as the engine; the way of a packet through it is the pipeline.
struct Engine::Impl final : lua::SimulationDoor {
    Impl(Options options, Services services);
    ~Impl() override;
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;
    bool init_lua(const std::function<bool()>& stop_requested, std::optional<std::size_t>* failed);
    capture::Verdict process(const capture::InputPacket& packet);
    flow::CtSim* simulation() override;
    lua::Connections* watching() override { return ct ? ct.get() : simulated.get(); }

    Options options;
    Services services;
    WatchedSender sender;
    PacketClock now; // of connections and ip_cache
    std::unique_ptr<flow::ConnectionTable> connections;
    std::unique_ptr<flow::IpCache> own_ip_cache; // unless the workers share one
    flow::IpCache& ip_cache;
    std::unique_ptr<CtFacts> ct;        // with --ct
    std::unique_ptr<CtFacts> simulated; // without, once a script wants to know of connections
    std::unique_ptr<flow::PastHosts> past_hosts;
    Onlooker onlooker;
    lua::State state;
    lua::Desync desync;
    Upkeep upkeep;
    Counters counters;
    std::vector<ProfileCounts> by_profile; // by number
    std::uint64_t timer_errors = 0;
    std::int64_t replaced_ns = 0; // when the profiles were
    bool ending = false;          // finalizers of scripts run when the pipeline is gone
    Pipeline pipeline;

  private:
    std::unique_ptr<flow::ConnectionTable> make_connections();
    std::unique_ptr<CtFacts> make_ct();
    lua::Services lua_services();
    lua::Limits lua_limits() const;
};

std::unique_ptr<flow::ConnectionTable> Engine::Impl::make_connections() {
    if (options.ctrack_disable) return nullptr;
    flow::TableOptions table = options.ctrack;
    table.memory = services.memory;
    return std::make_unique<flow::ConnectionTable>(table, now);
}

std::unique_ptr<CtFacts> Engine::Impl::make_ct() {
    services.sender = &sender;
    if (!options.ct) return nullptr;
    auto made = std::make_unique<CtFacts>(options, *options.ct, CtFacts::For::everybody, services,
                                          connections.get(), now);
    if (made->simulation() != nullptr) sender.show_to(*made);
    return made;
}

// May be called at any time, for example by a script that is shown a packet.
flow::CtSim* Engine::Impl::simulation() {
    if (ct) return ct->simulation();
    if (!simulated) {
        simulated = std::make_unique<CtFacts>(options, packet::CtSource::sim, CtFacts::For::scripts,
                                              services, connections.get(), now);
        sender.show_to(*simulated);
        if (!ending) pipeline.simulate(*simulated);
    }
    return simulated->simulation();
}

lua::Services Engine::Impl::lua_services() {
    return {.clock = *services.clock,
            .random = *services.random,
            .outlet = capture::TracedOutlet(onlooker),
            .network = *services.network,
            .connections = connections.get(),
            .stores = services.stores,
            .messages = services.messages != nullptr ? &onlooker : nullptr,
            .file_gate = options.file_gate,
            .queues = services.queues,
            .kernel = options.lua_kernel,
            .end = services.end,
            .may_wait = options.lua_may_wait,
            .offline = options.offline,
            .desync_fwmark = options.desync_fwmark,
            .server_mode = options.server,
            .ct = ct.get(),
            .simulation = this,
            .rule_tables = services.rule_tables,
            .rule_statistics = services.rule_statistics};
}

lua::Limits Engine::Impl::lua_limits() const {
    return {options.lua_call_ms, options.lua_memory_mb, options.lua_wait_ms, options.in_thread};
}

[[gnu::cold]] Engine::Impl::Impl(Options opts, Services svc)
    : options(std::move(opts)), services(std::move(svc)), sender(*services.sender),
      now(*services.clock), connections(make_connections()),
      own_ip_cache(services.ip_cache != nullptr
                       ? nullptr
                       : std::make_unique<flow::IpCache>(options.ipcache_lifetime, now)),
      ip_cache(services.ip_cache != nullptr ? *services.ip_cache : *own_ip_cache), ct(make_ct()),
      past_hosts(options.past_hosts != 0
                     ? std::make_unique<flow::PastHosts>(options.past_hosts, services.memory)
                     : nullptr),
      onlooker(services.trace, *services.sender, services.messages),
      state(lua_services(), lua_limits()), desync(state),
      upkeep(now, *services.lists, state.guard(), services.memory),
      by_profile(highest_number(*services.profiles) + 1),
      pipeline({options, services, onlooker, now, connections.get(), ip_cache, state, desync,
                upkeep, counters, by_profile, ct.get(), past_hosts.get()}) {
    services.rules.reset(); // the stage has them; a reload waits until nobody has the old ones
    if (connections) connections->set_observer(&pipeline);
    onlooker.observe(desync, state);
}

// Tracks hold references into the Lua state, so they end first.
Engine::Impl::~Impl() {
    if (connections) connections->clear();
    ending = true;
}

bool Engine::Impl::init_lua(const std::function<bool()>& stop_requested,
                            std::optional<std::size_t>* failed) {
    std::size_t blob_bytes = 0;
    for (const lua::Blob& blob : options.blobs)
        blob_bytes += blob.data.size();
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
    return state.open(std::move(options.blobs), globals, options.seeded) &&
           state.run_init(options.lua_init, stop_requested, failed);
}

// Without memory the packet passes as it came.
capture::Verdict Engine::Impl::process(const capture::InputPacket& packet) {
    try {
        return pipeline.process(packet);
    } catch (const std::bad_alloc&) {
        onlooker.has_lost();
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

lua::ScriptEnd Engine::run_script(const lua::Script& script) {
    return impl_->state.run_script(script);
}

std::span<pollfd> Engine::attached() {
    return impl_->state.attachments().polled();
}

bool Engine::has_attached() const {
    return !impl_->state.attachments().empty();
}

bool Engine::attached_have_more() const {
    return impl_->state.attachments().has_more();
}

void Engine::serve_attached(unsigned most) {
    impl_->timer_errors += impl_->state.attachments().serve(impl_->state, most);
}

std::vector<std::pair<std::string, std::string>> Engine::lua_globals() const {
    return impl_->state.globals();
}

void Engine::interrupt() {
    impl_->state.interrupt();
}

void Engine::adopt() {
    impl_->state.guard().adopt();
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

bool Engine::wants_frames() const {
    const rules::Judge* rules = judge();
    return impl_->state.wants_frames() || (rules != nullptr && rules->needs_link());
}

bool Engine::has_timers() const {
    return !impl_->state.timers().empty();
}

std::int64_t Engine::next_timer_ms() const {
    return impl_->state.timers().next_due_ms();
}

std::int64_t Engine::next_oneshot_ms() const {
    std::int64_t next = std::numeric_limits<std::int64_t>::max();
    impl_->state.timers().for_each([&next](const lua::Timer& timer) {
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
    impl_->now.update();
    if (impl_->ct) impl_->ct->batch_ended();
    if (has_timers()) impl_->timer_errors += impl_->state.run_timers();
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

void Engine::begin_profiles(const NextProfiles& next) {
    impl_->desync.eras().begin(next.profiles, next.blobs);
}

Engine::Prepared Engine::prepare_profiles(std::string* error) {
    switch (impl_->desync.eras().prepare(error)) {
    case lua::Eras::Step::more:
        return Prepared::more;
    case lua::Eras::Step::ready:
        return Prepared::ready;
    case lua::Eras::Step::failed:
        break;
    }
    return Prepared::failed;
}

bool Engine::adopt_profiles(const NextProfiles& next, std::string* error) {
    std::vector<ProfileCounts>& counts = impl_->by_profile;
    const profile::Generation& generation = *next.profiles;
    // Never less than before: older profiles still count what they replay.
    counts.resize(std::max(counts.size(), generation.profiles.size()));
    if (!impl_->desync.eras().adopt(error)) return false;
    for (std::uint32_t n = 0; n < counts.size(); n++)
        if (!generation.continues(generation.first_id_before + n, n)) counts[n] = {};
    impl_->services.profiles->replace(next.profiles);
    impl_->desync.forget_states(next.forgotten);
    impl_->upkeep.count_blobs(next.blob_bytes);
    impl_->now.update();
    impl_->replaced_ns = impl_->now.boot_ns();
    return true;
}

void Engine::abandon_profiles() {
    impl_->desync.eras().abandon();
}

void Engine::take_back_profiles() {
    impl_->desync.eras().take_back();
    impl_->services.profiles->take_back();
}

// What was put aside before they were replaced has left by now if what is there came later. One
// that was postponed in between is found by nobody, and chooses again.
bool Engine::drop_old_profiles() {
    profile::ProfileSet& profiles = *impl_->services.profiles;
    if (!profiles.has_older()) return true;
    if (impl_->connections && impl_->connections->longest_hold_ns() <= impl_->replaced_ns)
        return false;
    profiles.drop_older();
    impl_->desync.eras().drop_older();
    return true;
}

rules::Judge* Engine::judge() {
    RulesStage* stage = impl_->pipeline.rules();
    return stage != nullptr ? &stage->judge() : nullptr;
}

const rules::Judge* Engine::judge() const {
    RulesStage* stage = impl_->pipeline.rules();
    return stage != nullptr ? &stage->judge() : nullptr;
}

bool Engine::run_lua_items(std::span<const lua::LuaInit> items) {
    return impl_->state.run_init(items, {});
}

std::string Engine::run_lua_code(const std::string& name, const std::string& code) {
    return impl_->state.run_code(name, code);
}

bool Engine::blob_is(const std::string& name, const std::function<bool(Bytes)>& same) const {
    return impl_->state.global_is(name, same);
}

const Counters& Engine::counters() const {
    Counters& counters = impl_->counters;
    counters.lua_errors = impl_->desync.errors() + impl_->timer_errors;
    return counters;
}

ProfileCounts Engine::counts_of(std::uint32_t profile) const {
    return profile < impl_->by_profile.size() ? impl_->by_profile[profile] : ProfileCounts{};
}

std::span<const lua::PreparedInstance> Engine::instances(std::uint32_t profile) const {
    return impl_->desync.eras().instances(profile);
}

std::uint64_t Engine::flows_seen() const {
    return impl_->connections != nullptr ? impl_->connections->created() : 0;
}

std::uint64_t Engine::flows_evicted() const {
    return impl_->connections != nullptr ? impl_->connections->evicted() : 0;
}

const flow::PastHosts* Engine::past_hosts() const {
    return impl_->past_hosts.get();
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

std::optional<lua::Learned> Engine::learned(const flow::Track& track) const {
    return impl_->state.learned(track);
}

void Engine::dump_conntrack(const std::function<void(const std::string&)>& line) const {
    impl_->now.update();
    if (impl_->connections == nullptr) return;
    impl_->connections->dump([&](const flow::Track& track, const std::string& text) {
        const auto learned = impl_->state.learned(track);
        line(learned ? text + learned_text(*learned) : text);
    });
}

void Engine::dump_ip_cache(const std::function<void(const std::string&)>& line) const {
    impl_->now.update();
    impl_->ip_cache.dump(line);
}

} // namespace nfqws2::engine
