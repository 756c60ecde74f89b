// Key material of QUIC Initial packets as sent by the client (RFC 9001 section 5, RFC 9369 section
// 3). Apart from quic.hpp so that the derivation can be tested against the published
// vectors.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace nfqws2::protocol {

inline constexpr std::uint32_t quic_version_1 = 0x00000001;
inline constexpr std::uint32_t quic_version_2 = 0x6b3343cf;
inline constexpr std::uint32_t quic_version_2_early = 0x709a50c4;

constexpr bool is_quic_v2(std::uint32_t version) {
    return version == quic_version_2 || version == quic_version_2_early;
}

// The draft number a version behaves like; 34 for version 1, 100 for version 2, 0 if unknown.
unsigned quic_draft_number(std::uint32_t version);

struct QuicInitialKeys {
    std::array<std::uint8_t, 32> initial_secret{};
    std::array<std::uint8_t, 32> client_secret{};
    std::array<std::uint8_t, 16> key{};
    std::array<std::uint8_t, 12> iv{};
    std::array<std::uint8_t, 16> hp{};
};
// `dcid` is the one of the client's first packet, 1..20 bytes.
std::optional<QuicInitialKeys> derive_quic_initial_keys(std::uint32_t version, Bytes dcid);

} // namespace nfqws2::protocol
