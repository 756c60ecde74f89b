// Theory of operation: the virtual clock moves to each packet's stamp, stopping on the way at every
// time a Lua timer or a held packet falls due, so that what is due fires before the packet, in
// order, and sees its own time. After the last packet time goes on for as long as one-shot timers
// are pending, a minute at most; then held packets are released and the totals printed.
#include "offline/offline_loop.hpp"

#if NFQWS2_HAVE_PCAP

#include "nfqws2/base/log.hpp"
#include "nfqws2/capture/pcap_sink.hpp"
#include "nfqws2/capture/pcap_source.hpp"
#include "offline/capture_queues.hpp"
#include "offline/offline_workers.hpp"

#include <algorithm>
#include <chrono>

namespace nfqws2::app {
namespace {

using capture::PcapSink;
using capture::PcapSource;

constexpr std::int64_t ns_per_ms = 1'000'000;
constexpr std::int64_t after_last_packet_ns = 60'000 * ns_per_ms;

// Everything that falls due up to and including `end_ns`, each at its own time.
void run_due(Shared& shared, OfflineWorkers& workers, std::int64_t end_ns) {
    while (!shared.signals.quit()) {
        const int wait_ms = workers.next_wakeup_ms();
        if (wait_ms < 0) break;
        const std::int64_t due_ns = (shared.clock.boot_ms() + wait_ms) * ns_per_ms;
        if (due_ns > end_ns) break;
        shared.clock.advance_to(due_ns);
        workers.run_timers();
        if (workers.next_wakeup_ms() != 0) continue;
        // Not all was done at once; the way on must still lead forward and not past the end.
        if (shared.clock.boot_ns() + ns_per_ms > end_ns) break;
        shared.clock.advance_to(shared.clock.boot_ns() + ns_per_ms);
    }
}

void process(OfflineWorkers& workers, PcapSink& sink, const capture::InputPacket& packet) {
    const capture::Verdict verdict = workers.on_packet(packet);
    switch (verdict.action) {
    case capture::Action::accept:
        sink.accepted(packet.data);
        break;
    case capture::Action::modify:
        sink.modified(verdict.data);
        break;
    case capture::Action::drop:
    case capture::Action::split: // nothing in a file is marked as merged
        break;
    }
}

// Timers that fire once are waited for; periodic ones fire in between.
void finish_timers(Shared& shared, OfflineWorkers& workers) {
    const std::int64_t end_ns = shared.clock.boot_ns() + after_last_packet_ns;
    while (!shared.signals.quit()) {
        const std::int64_t due_ms = workers.next_oneshot_ms();
        if (due_ms > end_ns / ns_per_ms) break;
        run_due(shared, workers, due_ms * ns_per_ms);
    }
}

void print_summary(const engine::Counters& c, const PcapSource& source, const PcapSink& sink,
                   std::size_t held, std::size_t flows, double seconds,
                   std::optional<std::uint64_t> rules_dropped) {
    using Count = unsigned long long;
    const auto read = static_cast<Count>(source.packets_read());
    log::error("packets read %llu, skipped %llu, accepted %llu, modified %llu, dropped %llu, "
               "generated %llu, held at the end %zu, flows %zu, Lua errors %llu, %.3f s, %.0f "
               "packets/s%s",
               read, static_cast<Count>(source.frames_skipped()), static_cast<Count>(c.accepted),
               static_cast<Count>(c.modified), static_cast<Count>(c.dropped),
               static_cast<Count>(sink.packets_generated()), held, flows,
               static_cast<Count>(c.lua_errors), seconds,
               seconds > 0 ? static_cast<double>(read) / seconds : 0.0,
               rules_dropped ? (", rules dropped " + std::to_string(*rules_dropped)).c_str() : "");
}

} // namespace

int run_offline_script(Worker& worker, Workers& all, CaptureQueues& queues, PcapSource& source,
                       PcapSink& sink) {
    Shared& shared = all.shared();
    OfflineWorkers workers(all);
    using Stopwatch = std::chrono::steady_clock;
    const auto start = Stopwatch::now();
    const auto end = worker.engine.run_script(*shared.config.lua_run);
    while (end == lua::ScriptEnd::done && !shared.signals.quit() && worker.engine.has_attached()) {
        if (const auto stamp = queues.next_stamp()) run_due(shared, workers, *stamp);
        worker.engine.serve_attached(1);
        if (!worker.engine.attached_have_more()) break; // nothing will come of itself
    }
    if (end == lua::ScriptEnd::done) finish_timers(shared, workers);

    const bool written = sink.finish();
    const std::chrono::duration<double> elapsed = Stopwatch::now() - start;
    engine::Counters counters = workers.counters();
    counters.accepted = sink.packets_accepted();
    counters.modified = sink.packets_modified();
    counters.dropped = queues.dropped();
    print_summary(counters, source, sink, 0, 0, elapsed.count(), std::nullopt);
    if (queues.failed()) log::error("%s", source.error().c_str());
    if (!written) log::error("%s", sink.error().c_str());
    if (end == lua::ScriptEnd::failed) return 1;
    if (queues.failed() || !written) return exit_capture_error;
    return counters.lua_errors != 0 ? exit_lua_error : 0;
}

int run_offline(Workers& all, PcapSource& source, PcapSink& sink) {
    Shared& shared = all.shared();
    OfflineWorkers workers(all);
    using Stopwatch = std::chrono::steady_clock;
    const auto start = Stopwatch::now();
    PcapSource::Packet packet;
    auto next = PcapSource::Next::end;
    while (!shared.signals.quit()) {
        workers.do_requests();
        next = source.next(packet, workers.wants_frames());
        if (next != PcapSource::Next::packet) break;
        run_due(shared, workers, packet.stamp_ns);
        shared.clock.advance_to(packet.stamp_ns);
        process(workers, sink, packet.input);
    }
    finish_timers(shared, workers);
    workers.do_requests();
    const std::size_t held = workers.held(), flows = workers.flows();
    workers.release_held();

    if (shared.rules) {
        shared.rules->finish_dump();
        shared.rules->write_statistics();
    }
    const bool written = sink.finish();
    const std::chrono::duration<double> elapsed = Stopwatch::now() - start;
    const engine::Counters counters = workers.counters();
    print_summary(counters, source, sink, held, flows, elapsed.count(), workers.rules_dropped());
    if (next == PcapSource::Next::error) log::error("%s", source.error().c_str());
    if (!written) log::error("%s", sink.error().c_str());
    if (next == PcapSource::Next::error || !written) return exit_capture_error;
    return counters.lua_errors != 0 ? exit_lua_error : 0;
}

} // namespace nfqws2::app

#endif
