// One bucket of a meter: the packets and bytes of the present and the previous second, and since
// when each of them is too many. 64 bytes, with what the table needs; so times are cut to what
// their use needs, and turn over.
#pragma once

#include "nfqws2/rules/state/meters.hpp"

#include <array>
#include <cstdint>

namespace nfqws2::rules {

struct BucketNode {
    enum Flag : std::uint8_t {
        key_v4 = 1, // `key` is an address, else a hash
        key_v6 = 2,
        over_pps = 4, // since over_since_us[0]
        ripe_pps = 8, // for as long as the burst
        over_bps = 16,
        ripe_bps = 32,
        was_over = 64, // last_over_ms is of a packet that exceeded
        was_violate = 128
    };

    std::uint32_t hash = 0, chain = 0;
    std::array<std::uint8_t, 16> key{};
    std::uint16_t tag = 0; // of the meter, 0: not in use
    std::uint8_t flags = 0;
    std::uint8_t keep = 0;        // idle for 2^keep seconds it may be taken
    std::uint8_t bytes_high[2]{}; // 40 bits each
    std::uint16_t start_high = 0; // window's begin, 48 bits of microseconds: 9 years
    std::uint32_t start_low = 0;
    std::uint32_t packets[2]{}; // present and previous window
    std::uint32_t bytes_low[2]{};
    std::uint32_t over_since_us[2]{}; // 71 minutes, pps and bps
    std::uint32_t last_over_ms = 0;   // 49 days

    bool used() const { return tag != 0; }
    bool idle(std::int64_t now_ns) const;
    void begin(std::int64_t now_ns, std::int64_t cooldown_ms); // of a new bucket

    // Counts a packet and judges it. Both functions move the window on.
    RateVerdict count(const RateParameters& parameters, std::uint32_t packets_of_it,
                      std::uint64_t bytes_of_it, std::int64_t now_ns);
    struct Speed {
        std::uint64_t pps, bps;
    };
    Speed speed(std::int64_t now_ns);

  private:
    std::uint64_t start_us() const;
    void set_start(std::uint64_t us);
    std::uint64_t bytes(int window) const;
    void set_bytes(int window, std::uint64_t count);
    std::uint64_t since_start(std::int64_t now_ns) const; // in us; 0 for a time before it
    std::uint64_t move_window(std::int64_t now_ns);       // us since its begin then
    bool ripe(int bound, bool over, std::int64_t burst_ms, std::uint64_t now_us);
};
static_assert(sizeof(BucketNode) == 64);

} // namespace nfqws2::rules
