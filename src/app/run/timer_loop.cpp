#include "run/timer_loop.hpp"

#include "nfqws2/base/log.hpp"
#include "run/requests.hpp"

#include <algorithm>
#include <array>
#include <climits>

namespace nfqws2::app {

int run_timers_only(Worker& worker) {
    const auto goes_on = [&worker] {
        return worker.engine.has_timers() || worker.engine.has_attached();
    };
    while (!worker.shared.signals.quit() && goes_on()) {
        do_requests(worker);
        if (!goes_on()) break; // what was attached is no more
        const bool timers = worker.engine.has_timers();
        const auto wait = timers ? worker.engine.next_timer_ms() - worker.shared.clock.boot_ms()
                                 : std::int64_t{-1};
        if (wait > 0 || !timers)
            wait_for_work(worker, -1, static_cast<int>(std::min<std::int64_t>(wait, INT_MAX)));
        if (!worker.shared.signals.quit()) worker.engine.run_timers();
    }
    if (worker.shared.signals.quit()) log::status("quit requested");
    log::status("no intercept quit");
    return worker.shared.signals.exit_code();
}

void run_fuzz(Worker& worker, Random& random, unsigned count) {
    static constexpr std::uint8_t protocols[] = {1, 6, 17, 58, 132};
    static constexpr std::size_t header = 40;
    std::array<std::uint8_t, 1500> packet;
    for (unsigned i = 0; i < count && !worker.shared.signals.quit(); i++) {
        random.fill(packet);
        const std::size_t size = random.below(packet.size() + 1);
        const std::uint8_t protocol = protocols[random.below(std::size(protocols))];
        const auto total = static_cast<std::uint16_t>(size);
        switch (random.below(3)) {
        case 0:
            packet[0] = 0x45;
            store_be16(&packet[2], total);
            store_be16(&packet[6], 0);
            packet[9] = protocol;
            break;
        case 1:
            packet[0] = 0x60;
            store_be16(&packet[4], static_cast<std::uint16_t>(size > header ? size - header : 0));
            packet[6] = protocol;
            break;
        default: // nothing but noise
            break;
        }
        capture::InputPacket input;
        input.data = clipped(packet, 0, size);
        input.id = i;
        worker.engine.on_packet(input);
    }
    log::status("%u random packets processed", count);
}

} // namespace nfqws2::app
