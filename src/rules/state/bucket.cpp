#include "bucket.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace nfqws2::rules {

namespace {

constexpr std::uint64_t second_us = 1'000'000;
constexpr std::uint64_t start_mask = (std::uint64_t{1} << 48) - 1;
constexpr std::uint64_t most_bytes = (std::uint64_t{1} << 40) - 1;
constexpr std::int64_t longest_cooldown_ms = 0xFFFE'0000; // of the 49 days in which it turns over

std::uint64_t microseconds(std::int64_t ns) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0)) / 1000;
}

// What is left of the previous window, less the packet itself.
std::uint64_t share_of(std::uint64_t previous, std::uint64_t window_us, std::uint64_t itself) {
    const std::uint64_t share = previous * (second_us - window_us) / second_us;
    return share > itself ? share - itself : 0;
}

} // namespace

std::uint64_t BucketNode::start_us() const {
    return std::uint64_t{start_high} << 32 | start_low;
}

void BucketNode::set_start(std::uint64_t us) {
    start_low = static_cast<std::uint32_t>(us);
    start_high = static_cast<std::uint16_t>(us >> 32);
}

std::uint64_t BucketNode::bytes(int window) const {
    return std::uint64_t{bytes_high[window]} << 32 | bytes_low[window];
}

void BucketNode::set_bytes(int window, std::uint64_t count) {
    bytes_low[window] = static_cast<std::uint32_t>(count);
    bytes_high[window] = static_cast<std::uint8_t>(count >> 32);
}

std::uint64_t BucketNode::since_start(std::int64_t now_ns) const {
    const std::uint64_t elapsed = (microseconds(now_ns) - start_us()) & start_mask;
    return elapsed > start_mask / 2 ? 0 : elapsed;
}

void BucketNode::begin(std::int64_t now_ns, std::int64_t cooldown_ms) {
    set_start(microseconds(now_ns));
    const std::int64_t seconds =
        (std::clamp<std::int64_t>(cooldown_ms, 0, longest_cooldown_ms) + 999) / 1000;
    keep = static_cast<std::uint8_t>(
        std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(seconds, 2)) - 1));
}

// The last packet came within a second of the window's begin.
bool BucketNode::idle(std::int64_t now_ns) const {
    return since_start(now_ns) >= ((std::uint64_t{1} << keep) + 1) * second_us;
}

std::uint64_t BucketNode::move_window(std::int64_t now_ns) {
    const std::uint64_t elapsed = since_start(now_ns);
    const std::uint64_t windows = elapsed / second_us;
    if (windows == 0) return elapsed;
    packets[1] = windows == 1 ? packets[0] : 0;
    set_bytes(1, windows == 1 ? bytes(0) : 0);
    packets[0] = 0;
    set_bytes(0, 0);
    set_start(start_us() + windows * second_us);
    // Times that may have turned over since are not asked again.
    constexpr std::uint64_t longest_burst = 61;
    if (windows > longest_burst) {
        if ((flags & over_pps) != 0) flags |= ripe_pps;
        if ((flags & over_bps) != 0) flags |= ripe_bps;
    }
    if (windows > longest_cooldown_ms / 1000) flags &= static_cast<std::uint8_t>(~was_over);
    return elapsed % second_us;
}

// Whether it has been over for as long as the burst, this packet included.
bool BucketNode::ripe(int bound, bool over, std::int64_t burst_ms, std::uint64_t now_us) {
    const std::uint8_t over_flag = bound == 0 ? over_pps : over_bps;
    const std::uint8_t ripe_flag = bound == 0 ? ripe_pps : ripe_bps;
    if (!over) {
        flags &= static_cast<std::uint8_t>(~(over_flag | ripe_flag));
        return false;
    }
    const auto now = static_cast<std::uint32_t>(now_us);
    if ((flags & over_flag) == 0) {
        flags |= over_flag;
        over_since_us[bound] = now;
    }
    const std::uint32_t since = now - over_since_us[bound];
    const bool backwards = since > std::numeric_limits<std::uint32_t>::max() / 2;
    if (!backwards && since >= burst_ms * 1000) flags |= ripe_flag;
    return burst_ms <= 0 || (flags & ripe_flag) != 0;
}

RateVerdict BucketNode::count(const RateParameters& parameters, std::uint32_t packets_of_it,
                              std::uint64_t bytes_of_it, std::int64_t now_ns) {
    const std::uint64_t now_us = microseconds(now_ns);
    const std::uint64_t window_us = move_window(now_ns);
    // cppcheck-suppress constStatement - it takes the template arguments for comparisons
    packets[0] = static_cast<std::uint32_t>(std::min<std::uint64_t>(
        std::uint64_t{packets[0]} + packets_of_it, std::numeric_limits<std::uint32_t>::max()));
    bytes_of_it = std::min(bytes_of_it, most_bytes);
    set_bytes(0, std::min(bytes(0) + bytes_of_it, most_bytes));

    const auto over = [&](const RateBound& bound, std::uint64_t present, std::uint64_t previous,
                          std::uint64_t itself) {
        return bound.rate != 0 && present + share_of(previous, window_us, itself) > bound.rate;
    };
    const bool pps = ripe(0, over(parameters.pps, packets[0], packets[1], packets_of_it),
                          parameters.pps.burst_ms, now_us);
    const bool bps = ripe(1, over(parameters.bps, bytes(0) * 8, bytes(1) * 8, bytes_of_it * 8),
                          parameters.bps.burst_ms, now_us);
    const auto now_ms = static_cast<std::uint32_t>(now_us / 1000);
    if (pps || bps) {
        last_over_ms = now_ms;
        flags |= was_over;
        flags = static_cast<std::uint8_t>(pps && bps ? flags | was_violate : flags & ~was_violate);
        return {pps && bps ? RateLevel::violate : RateLevel::exceed, false};
    }
    if ((flags & was_over) == 0) return {};
    const std::uint32_t since = now_ms - last_over_ms;
    const bool backwards = since > longest_cooldown_ms;
    const bool cooling =
        parameters.cooldown_ms > 0 &&
        (backwards || since < std::min(parameters.cooldown_ms, longest_cooldown_ms));
    if (cooling) return {(flags & was_violate) != 0 ? RateLevel::violate : RateLevel::exceed, true};
    flags &= static_cast<std::uint8_t>(~was_over);
    return {};
}

BucketNode::Speed BucketNode::speed(std::int64_t now_ns) {
    const std::uint64_t window_us = move_window(now_ns);
    return {packets[0] + share_of(packets[1], window_us, 0),
            bytes(0) * 8 + share_of(bytes(1) * 8, window_us, 0)};
}

} // namespace nfqws2::rules
