#include "nfqws2/app/crew.hpp"

#include "nfqws2/base/log.hpp"

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

template <typename Action> void Crew::each(const Action& action) const {
    for (std::size_t i = 0; i < session_.workers(); i++) {
        Runtime& run = session_.runtime(i);
        const log::Label label(run.label);
        action(run);
    }
}

capture::Verdict Crew::on_packet(const capture::InputPacket& packet) {
    const auto workers = static_cast<unsigned>(session_.workers());
    Runtime& run = session_.runtime(worker_for(packet.data, workers));
    const log::Label label(run.label);
    return run.engine.on_packet(packet);
}

void Crew::do_requests() {
    each([](Runtime& run) { app::do_requests(run); });
}

void Crew::run_timers() {
    each([](const Runtime& run) { run.engine.run_timers(); });
}

void Crew::release_held() {
    each([](const Runtime& run) { run.engine.release_held(); });
}

int Crew::next_wakeup_ms() const {
    int next = -1;
    each([&next](const Runtime& run) {
        const int wait = run.engine.next_wakeup_ms();
        if (wait >= 0) next = next < 0 ? wait : std::min(next, wait);
    });
    return next;
}

std::int64_t Crew::next_oneshot_ms() const {
    std::int64_t next = std::numeric_limits<std::int64_t>::max();
    each([&next](const Runtime& run) { next = std::min(next, run.engine.next_oneshot_ms()); });
    return next;
}

std::size_t Crew::held() const {
    std::size_t sum = 0;
    each([&sum](const Runtime& run) { sum += run.engine.held(); });
    return sum;
}

std::size_t Crew::flows() const {
    std::size_t sum = 0;
    each([&sum](const Runtime& run) { sum += run.engine.flows(); });
    return sum;
}

engine::Counters Crew::counters() const {
    engine::Counters sum;
    each([&sum](const Runtime& run) {
        const engine::Counters& c = run.engine.counters();
        sum.packets += c.packets;
        sum.accepted += c.accepted;
        sum.modified += c.modified;
        sum.dropped += c.dropped;
        sum.ignored += c.ignored;
        sum.lua_errors += c.lua_errors;
    });
    return sum;
}

} // namespace nfqws2::app
