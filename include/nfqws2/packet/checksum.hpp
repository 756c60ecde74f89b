// Internet checksum (RFC 1071) and the places it is written to (docs/contracts/wire.md#checksums).
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::packet {

// One's complement sum of 16-bit words, folded; add parts of even length only, except the last.
std::uint32_t checksum_add(std::uint32_t sum, Bytes data);
std::uint16_t checksum_finish(std::uint32_t sum);

// Sets the checksum of the IPv4 header (ihl*4 bytes at `header`).
void fix_ipv4_checksum(MutBytes header);

enum class L4Checksum : std::uint8_t { tcp, udp, icmp };
// The value for `l4_header` + `payload` under the IP header `ip` (IPv4 or IPv6: only the addresses
// are used). The checksum field inside l4_header counts as zero. UDP: 0 becomes 0xFFFF.
std::uint16_t l4_checksum(L4Checksum kind, Bytes ip, Bytes l4_header, Bytes payload);
// The folded sum of the pseudo header alone: what the field holds while a network card is expected
// to complete it. `length` is that of header and payload.
std::uint16_t pseudo_header_sum(L4Checksum kind, Bytes ip, std::size_t length);
// Offset of the checksum field in the L4 header.
constexpr std::size_t checksum_offset(L4Checksum kind) {
    return kind == L4Checksum::tcp ? 16 : kind == L4Checksum::udp ? 6 : 2;
}

} // namespace nfqws2::packet
