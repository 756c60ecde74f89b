// An address as an unsigned number in host order, for sorting and masking. 4 and 16 bytes: the
// whole input is held as an array of these. IPv6 is two words because 32-bit routers have no
// 128-bit integer.
#pragma once

#include <compare>
#include <cstdint>

namespace nfqws2::tools {

struct Ipv4Key {
    static constexpr unsigned width = 32;
    std::uint32_t value = 0;

    constexpr auto operator<=>(const Ipv4Key&) const = default;
    // i = 0 is the most significant byte.
    constexpr unsigned byte(unsigned i) const { return value >> (24 - 8 * i) & 0xFF; }
    constexpr Ipv4Key with_low_bits_clear(unsigned count) const { return {value & ~mask(count)}; }
    constexpr Ipv4Key with_low_bits_set(unsigned count) const { return {value | mask(count)}; }

  private:
    static constexpr std::uint32_t mask(unsigned count) { // count < 32
        return (std::uint32_t{1} << count) - 1;
    }
};

struct Ipv6Key {
    static constexpr unsigned width = 128;
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    constexpr auto operator<=>(const Ipv6Key&) const = default;
    constexpr unsigned byte(unsigned i) const {
        const std::uint64_t word = i < 8 ? high : low;
        return static_cast<unsigned>(word >> (56 - 8 * (i & 7)) & 0xFF);
    }
    constexpr Ipv6Key with_low_bits_clear(unsigned count) const {
        return {high & ~high_mask(count), low & ~low_mask(count)};
    }
    constexpr Ipv6Key with_low_bits_set(unsigned count) const {
        return {high | high_mask(count), low | low_mask(count)};
    }

  private:
    static constexpr std::uint64_t low_mask(unsigned count) {
        return count >= 64 ? UINT64_MAX : (std::uint64_t{1} << count) - 1;
    }
    static constexpr std::uint64_t high_mask(unsigned count) { // count < 128
        return count <= 64 ? 0 : (std::uint64_t{1} << (count - 64)) - 1;
    }
};

} // namespace nfqws2::tools
