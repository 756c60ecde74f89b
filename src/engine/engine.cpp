#include "nfqws2/engine/engine.hpp"

#include "nfqws2/base/log.hpp"
#include "pipeline.hpp"

#include <algorithm>
#include <limits>
#include <new>

namespace nfqws2::engine {

unsigned default_lua_memory_mb() {
    return lua::default_memory_limit();
}

struct Engine::Impl {
    Impl(Options options, Services services) : pipeline(std::move(options), std::move(services)) {}
    capture::Verdict process(const capture::InputPacket& packet);
    Pipeline pipeline;
};

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
    return impl_->pipeline.init_lua(stop_requested, nullptr) &&
           impl_->pipeline.desync.prepare(*impl_->pipeline.services.profiles);
}

bool Engine::run_lua_init(const std::function<bool()>& stop_requested,
                          std::optional<std::size_t>* failed) {
    return impl_->pipeline.init_lua(stop_requested, failed);
}

std::vector<std::pair<std::string, std::string>> Engine::lua_globals() const {
    return impl_->pipeline.state.globals();
}

void Engine::interrupt() {
    impl_->pipeline.state.interrupt();
}

void Engine::adopt() {
    impl_->pipeline.host->guard.adopt();
}

capture::Verdict Engine::on_packet(const capture::InputPacket& packet) {
    const capture::Verdict verdict = impl_->process(packet);
    if (verdict.action == capture::Action::split) return verdict; // the pieces will be counted
    Counters& counters = impl_->pipeline.counters;
    counters.packets++;
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
    return !impl_->pipeline.host->timers.empty();
}

std::int64_t Engine::next_timer_ms() const {
    return impl_->pipeline.host->timers.next_due_ms();
}

std::int64_t Engine::next_oneshot_ms() const {
    std::int64_t next = std::numeric_limits<std::int64_t>::max();
    impl_->pipeline.host->timers.for_each([&next](const lua::Timer& timer) {
        if (timer.oneshot) next = std::min(next, timer.next_ms);
    });
    return next;
}

int Engine::next_wakeup_ms() const {
    Pipeline& pipeline = impl_->pipeline;
    pipeline.now.update();
    std::int64_t wait = std::numeric_limits<int>::max();
    if (has_timers()) wait = std::max<std::int64_t>(0, next_timer_ms() - pipeline.now.boot_ms());
    if (pipeline.connections != nullptr) {
        const int purge = pipeline.connections->next_purge_ms();
        if (purge >= 0) wait = std::min<std::int64_t>(wait, purge);
        const int release = pipeline.connections->next_release_ms();
        if (release >= 0) wait = std::min<std::int64_t>(wait, release);
    }
    return wait == std::numeric_limits<int>::max() ? -1 : static_cast<int>(wait);
}

void Engine::run_timers() {
    Pipeline& pipeline = impl_->pipeline;
    lua::Host& host = *pipeline.host;
    pipeline.now.update();
    if (!host.timers.empty())
        pipeline.timer_errors += host.timers.run_due(host.L, host.clock->boot_ms());
    if (pipeline.connections != nullptr) {
        pipeline.connections->purge();
        pipeline.connections->release_overdue();
    }
    if (Trace* trace = pipeline.services.trace) {
        trace->end_timers();
        trace->flush();
    }
}

void Engine::collect_garbage() {
    impl_->pipeline.state.collect_garbage(impl_->pipeline.options.lua_gc_s);
}

void Engine::release_held() {
    impl_->pipeline.release_all();
}

const Counters& Engine::counters() const {
    Counters& counters = impl_->pipeline.counters;
    counters.lua_errors = impl_->pipeline.desync.errors() + impl_->pipeline.timer_errors;
    return counters;
}

std::size_t Engine::flows() const {
    return impl_->pipeline.connections != nullptr ? impl_->pipeline.connections->size() : 0;
}

std::size_t Engine::held() const {
    return impl_->pipeline.connections != nullptr ? impl_->pipeline.connections->held_packets() : 0;
}

void Engine::dump_conntrack(const std::function<void(const std::string&)>& line) const {
    impl_->pipeline.now.update();
    if (impl_->pipeline.connections != nullptr) impl_->pipeline.connections->dump(line);
}

void Engine::dump_ip_cache(const std::function<void(const std::string&)>& line) const {
    impl_->pipeline.now.update();
    impl_->pipeline.ip_cache.dump(line);
}

} // namespace nfqws2::engine
