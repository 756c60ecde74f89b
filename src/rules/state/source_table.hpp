// What tcpauth remembers: sources that are authenticated or wait for it, and SYNs that were seen.
// Both are 32 bytes an entry in a table of their own.
#pragma once

#include "sharded_table.hpp"

#include "nfqws2/base/ip_address.hpp"

#include <array>
#include <cstdint>

namespace nfqws2::rules {

enum class SourceState : std::uint8_t {
    unknown,
    grey,          // noted at its first packet
    authenticated, // since its last SYN
    syn            // not a source: a connection that began
};

struct SourceEntry {
    std::uint32_t hash = 0, chain = 0;
    std::array<std::uint8_t, 16>
        key{};           // address; of a SYN 12 bytes of hash and its sequence number
    std::uint8_t id = 0; // of the action, 0: not in use
    SourceState state = SourceState::unknown;
    std::uint16_t since_high = 0; // 48 bits of microseconds: turns over in 9 years
    std::uint32_t since_low = 0;

    bool used() const { return id != 0; }
    void set_time(std::int64_t now_ns) {
        const auto us = static_cast<std::uint64_t>(now_ns < 0 ? 0 : now_ns) / 1000;
        since_low = static_cast<std::uint32_t>(us);
        since_high = static_cast<std::uint16_t>(us >> 32);
    }
    // Nanoseconds since then; 0 where that lies ahead.
    std::int64_t age_ns(std::int64_t now_ns) const {
        constexpr std::uint64_t mask = (std::uint64_t{1} << 48) - 1;
        const auto us = static_cast<std::uint64_t>(now_ns < 0 ? 0 : now_ns) / 1000;
        const std::uint64_t then = std::uint64_t{since_high} << 32 | since_low;
        const std::uint64_t age = (us - then) & mask;
        return age > mask / 2 ? 0 : static_cast<std::int64_t>(age) * 1000;
    }
};
static_assert(sizeof(SourceEntry) == 32);

} // namespace nfqws2::rules
