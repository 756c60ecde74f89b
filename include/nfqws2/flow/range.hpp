// Packet ranges of --in-range / --out-range: grammar and test
// (docs/contracts/flows.md#ranges).
#pragma once

#include "nfqws2/flow/positions.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::flow {

struct RangePos {
    char mode = 'a'; // n d b s p a x
    std::uint32_t pos = 0;
    bool operator==(const RangePos&) const = default;
};

struct Range {
    RangePos from, to;
    bool upper_exclusive = false; // `<` instead of `-`
    bool operator==(const Range&) const = default;

    static Range always() { return {}; }
    static Range never() { return {{'x', 0}, {'x', 0}, false}; }
};

std::optional<Range> parse_range(std::string_view text);
std::string to_text(const Range& r); // "n1-d5", as in debug listings: "x0-x0", "a0-a0"

// Where `side` stands, in the units of both ends: "n3 s1448", "a0 a0".
std::string position_text(const Range& r, const SidePositions* side);

// `side` is the sending side's counters, nullptr without a track.
bool in_range(const Range& r, const SidePositions* side);
// The instance can be called no more (a cutoff reason).
bool beyond_range(const Range& r, const SidePositions* side);

} // namespace nfqws2::flow
