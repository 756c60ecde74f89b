// Byte views and big-endian access. Packets and file contents are handled as spans everywhere so
// that a length always travels with its pointer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace nfqws2 {

using Bytes = std::span<const std::uint8_t>;
using MutBytes = std::span<std::uint8_t>;

// Readers and writers of network byte order. The caller guarantees that the bytes exist.
constexpr std::uint16_t load_be16(const std::uint8_t* p) {
    return static_cast<std::uint16_t>(p[0] << 8 | p[1]);
}
constexpr std::uint32_t load_be24(const std::uint8_t* p) {
    return static_cast<std::uint32_t>(p[0]) << 16 | static_cast<std::uint32_t>(p[1]) << 8 | p[2];
}
constexpr std::uint32_t load_be32(const std::uint8_t* p) {
    return static_cast<std::uint32_t>(p[0]) << 24 | load_be24(p + 1);
}
constexpr std::uint64_t load_be64(const std::uint8_t* p) {
    return static_cast<std::uint64_t>(load_be32(p)) << 32 | load_be32(p + 4);
}
constexpr void store_be16(std::uint8_t* p, std::uint16_t v) {
    p[0] = static_cast<std::uint8_t>(v >> 8);
    p[1] = static_cast<std::uint8_t>(v);
}
constexpr void store_be24(std::uint8_t* p, std::uint32_t v) {
    p[0] = static_cast<std::uint8_t>(v >> 16);
    store_be16(p + 1, static_cast<std::uint16_t>(v));
}
constexpr void store_be32(std::uint8_t* p, std::uint32_t v) {
    store_be16(p, static_cast<std::uint16_t>(v >> 16));
    store_be16(p + 2, static_cast<std::uint16_t>(v));
}

inline std::string_view as_text(Bytes b) {
    return {reinterpret_cast<const char*>(b.data()), b.size()};
}
inline Bytes as_bytes(std::string_view s) {
    return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

// The part [from, from + count) of b, clipped to what exists; never out of bounds.
constexpr Bytes clipped(Bytes b, std::size_t from, std::size_t count = SIZE_MAX) {
    if (from >= b.size()) return {};
    return b.subspan(from, count < b.size() - from ? count : b.size() - from);
}

} // namespace nfqws2
