// QUIC Initial: recognition, decryption of the client's packet, joining of CRYPTO frames
// (docs/contracts/protocols.md#quic; RFC 9000, 9001, 9369).
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace nfqws2::protocol {

inline constexpr std::size_t quic_max_crypto_frames = 128;
inline constexpr std::size_t quic_max_crypto_end = 16374;
inline constexpr std::size_t quic_max_cid = 20;
inline constexpr std::size_t quic_max_plaintext = 16384;

bool is_quic_initial(Bytes datagram);

// The clear part of the first packet of a datagram. The spans point into the datagram.
struct QuicInitialHeader {
    std::uint32_t version = 0;
    Bytes dcid, scid, token;
    std::size_t packet_number_offset = 0;
    std::size_t packet_size = 0; // up to the end of this packet; coalesced ones follow
};
// nullopt unless version and packet type say Initial and every field lies inside the datagram.
// Unlike is_quic_initial() it does not ask for a minimum size or a limit on connection ids.
// An accumulation of CRYPTO frames belongs to one DCID: compare it before joining datagrams.
std::optional<QuicInitialHeader> parse_quic_initial(Bytes datagram);

// Plaintext frames of the first packet of the datagram (client keys); nullopt if it cannot be
// decrypted. Coalesced further Initials with the same version and DCID are appended if their
// frames are well formed.
std::optional<std::vector<std::uint8_t>> quic_decrypt_initial(Bytes datagram);

// True if the frames are well formed and only PADDING, PING, ACK or CONNECTION_CLOSE: such a packet
// brings no part of the hello and is no reason to end an accumulation.
bool quic_has_no_crypto(Bytes frames);

// The CRYPTO frames of a plaintext and nothing else (most of an Initial is padding), for keeping.
// nullopt if it is malformed.
std::optional<std::vector<std::uint8_t>> quic_crypto_only(Bytes frames);

struct CryptoStream {
    std::vector<std::uint8_t> data; // from offset 0 to the highest end, holes are zero
    bool complete = false;          // one contiguous range from 0
    std::size_t covered = 0;        // bytes that are no holes
};
// Collects CRYPTO frames out of concatenated plaintexts. PADDING, PING, ACK and CONNECTION_CLOSE
// are skipped (the reference gives up at the last two). nullopt: no CRYPTO frame, malformed, or
// another frame type.
std::optional<CryptoStream> quic_collect_crypto(Bytes frames);

} // namespace nfqws2::protocol
