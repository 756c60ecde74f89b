#include "offline/offline_workers.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/rules/judge.hpp"
#include "run/requests.hpp"

#include <algorithm>
#include <limits>

namespace nfqws2::app {
namespace {

// Equal when the two addresses are exchanged.
std::uint32_t sum_of_words(Bytes addresses) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < addresses.size(); i += 4)
        sum += load_be32(&addresses[i]);
    return sum;
}

} // namespace

unsigned worker_for(Bytes packet, unsigned workers) {
    constexpr std::size_t header4 = 20, header6 = 40;
    if (packet.size() < header4 || workers == 1) return 0;
    const bool ipv6 = packet[0] >> 4 == 6;
    if (ipv6 && packet.size() < header6) return 0;
    std::uint32_t hash = sum_of_words(ipv6 ? packet.subspan(8, 32) : packet.subspan(12, 8));
    hash ^= hash >> 16;
    hash *= 0x45D9F3BU;
    hash ^= hash >> 16;
    return hash % workers;
}

template <typename Action> void OfflineWorkers::each(const Action& action) const {
    for (std::size_t i = 0; i < workers_.size(); i++) {
        Worker& worker = workers_[i];
        const log::Label label(worker.label);
        action(worker);
    }
}

capture::Verdict OfflineWorkers::on_packet(const capture::InputPacket& packet) {
    Worker& worker = workers_[worker_for(packet.data, static_cast<unsigned>(workers_.size()))];
    const log::Label label(worker.label);
    return worker.engine.on_packet(packet);
}

bool OfflineWorkers::wants_frames() const {
    for (std::size_t i = 0; i < workers_.size(); i++)
        if (workers_[i].engine.wants_frames()) return true;
    return false;
}

void OfflineWorkers::do_requests() {
    each([](Worker& worker) { app::do_requests(worker); });
}

void OfflineWorkers::run_timers() {
    each([](Worker& worker) { worker.engine.run_timers(); });
}

void OfflineWorkers::release_held() {
    each([](Worker& worker) { worker.engine.release_held(); });
}

int OfflineWorkers::next_wakeup_ms() const {
    int next = -1;
    each([&next](const Worker& worker) {
        const int wait = worker.engine.next_wakeup_ms();
        if (wait >= 0) next = next < 0 ? wait : std::min(next, wait);
    });
    return next;
}

std::int64_t OfflineWorkers::next_oneshot_ms() const {
    std::int64_t next = std::numeric_limits<std::int64_t>::max();
    each([&next](const Worker& worker) { next = std::min(next, worker.engine.next_oneshot_ms()); });
    return next;
}

std::size_t OfflineWorkers::held() const {
    std::size_t sum = 0;
    each([&sum](const Worker& worker) { sum += worker.engine.held(); });
    return sum;
}

std::size_t OfflineWorkers::flows() const {
    std::size_t sum = 0;
    each([&sum](const Worker& worker) { sum += worker.engine.flows(); });
    return sum;
}

std::optional<std::uint64_t> OfflineWorkers::rules_dropped() const {
    std::optional<std::uint64_t> sum;
    each([&sum](const Worker& worker) {
        if (const rules::Judge* judge = worker.engine.judge())
            sum = sum.value_or(0) + judge->dropped();
    });
    return sum;
}

engine::Counters OfflineWorkers::counters() const {
    engine::Counters sum;
    each([&sum](const Worker& worker) { sum += worker.engine.counters(); });
    return sum;
}

} // namespace nfqws2::app
