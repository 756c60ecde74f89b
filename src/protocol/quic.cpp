// QUIC Initial packets of the client. Their keys follow from the version and the connection id in
// the clear, so the ClientHello inside can be read by anyone who joins the CRYPTO frames, which a
// client may send in any order, in pieces and over several datagrams.
#include "nfqws2/protocol/quic.hpp"

#include "quic_frames.hpp"
#include "quic_keys.hpp"

#include <mbedtls/aes.h>
#include <mbedtls/gcm.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace nfqws2::protocol {

namespace {

constexpr std::size_t min_datagram = 128;
constexpr unsigned min_draft = 11;
constexpr std::size_t tag_size = 16, sample_size = 16, max_packet_number = 4;
constexpr std::size_t max_header = 2048;
constexpr unsigned max_coalesced = 8;

bool is_initial_type(std::uint8_t first, std::uint32_t version) {
    return (first & 0xF0) == (is_quic_v2(version) ? 0xD0 : 0xC0);
}

// A connection id with its length byte in front; at least one byte must follow.
bool take_connection_id(Bytes& rest, Bytes& id) {
    const std::size_t size = rest[0];
    if (rest.size() - 1 <= size) return false;
    id = rest.subspan(1, size);
    rest = rest.subspan(1 + size);
    return true;
}

std::optional<std::array<std::uint8_t, 16>> protection_mask(const QuicInitialKeys& keys,
                                                            const std::uint8_t* sample) {
    std::array<std::uint8_t, 16> mask{};
    mbedtls_aes_context aes;
    mbedtls_aes_init(&aes);
    const bool ok = mbedtls_aes_setkey_enc(&aes, keys.hp.data(), 128) == 0 &&
                    mbedtls_aes_crypt_ecb(&aes, MBEDTLS_AES_ENCRYPT, sample, mask.data()) == 0;
    mbedtls_aes_free(&aes);
    return ok ? std::optional(mask) : std::nullopt;
}

bool open_sealed(const QuicInitialKeys& keys, Bytes nonce, Bytes header, Bytes sealed,
                 std::uint8_t* out) {
    const Bytes tag = sealed.last(tag_size);
    mbedtls_gcm_context gcm;
    mbedtls_gcm_init(&gcm);
    const bool ok = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, keys.key.data(), 128) == 0 &&
                    mbedtls_gcm_auth_decrypt(&gcm, sealed.size() - tag_size, nonce.data(),
                                             nonce.size(), header.data(), header.size(), tag.data(),
                                             tag.size(), sealed.data(), out) == 0;
    mbedtls_gcm_free(&gcm);
    return ok;
}

// Decrypts one packet and appends its frames to `frames`; on failure those are unchanged.
bool decrypt_packet(Bytes packet, std::size_t number_at, const QuicInitialKeys& keys,
                    std::vector<std::uint8_t>& frames) {
    if (packet.size() - number_at < max_packet_number + sample_size) return false;
    const auto mask = protection_mask(keys, packet.data() + number_at + max_packet_number);
    if (!mask) return false;

    const auto first = static_cast<std::uint8_t>(packet[0] ^ ((*mask)[0] & 0x0F));
    const std::size_t number_size = (first & 3U) + 1;
    const std::size_t header_size = number_at + number_size;
    if (header_size > max_header) return false;
    std::array<std::uint8_t, max_header> header{};
    std::ranges::copy(packet.first(header_size), header.begin());
    header[0] = first;
    auto nonce = keys.iv;
    for (std::size_t i = 0; i < number_size; ++i) {
        std::uint8_t& number = header[number_at + i];
        number ^= (*mask)[1 + i];
        nonce[nonce.size() - number_size + i] ^= number;
    }

    const Bytes sealed = packet.subspan(header_size);
    const std::size_t size = sealed.size() - tag_size;
    const std::size_t before = frames.size();
    if (size > quic_max_plaintext - before) return false;
    // Not an empty buffer, whose address may be null.
    frames.resize(before + std::max<std::size_t>(size, 1));
    const bool ok =
        open_sealed(keys, nonce, {header.data(), header_size}, sealed, frames.data() + before);
    frames.resize(ok ? before + size : before);
    return ok;
}

bool well_formed(Bytes frames) {
    QuicFrameWalk walk(frames);
    for (QuicFrame frame; walk.next(frame);) {
    }
    return !walk.malformed();
}

// The distinct CRYPTO frames seen, ordered by (offset, size): duplicates are found by bisection and
// coverage by one pass.
class CryptoRanges {
  public:
    enum class Added { yes, duplicate, full };

    Added add(std::uint16_t offset, std::uint16_t size) {
        const std::pair range(offset, size);
        auto* const end = ranges_.data() + count_;
        auto* const at = std::lower_bound(ranges_.data(), end, range);
        if (at != end && *at == range) return Added::duplicate;
        if (count_ == ranges_.size()) return Added::full;
        std::move_backward(at, end, end + 1);
        *at = range;
        ++count_;
        return Added::yes;
    }
    bool empty() const { return count_ == 0; }
    bool contiguous_from_zero() const {
        std::size_t reach = 0;
        for (std::size_t i = 0; i < count_; ++i) {
            const auto [offset, size] = ranges_[i];
            if (offset > reach) return false;
            reach = std::max(reach, std::size_t{offset} + size);
        }
        return true;
    }
    std::size_t covered() const {
        std::size_t reach = 0, bytes = 0;
        for (std::size_t i = 0; i < count_; ++i) {
            const std::size_t from = std::max<std::size_t>(ranges_[i].first, reach);
            reach = std::max(reach, std::size_t{ranges_[i].first} + ranges_[i].second);
            bytes += reach - std::min(from, reach);
        }
        return bytes;
    }

  private:
    std::array<std::pair<std::uint16_t, std::uint16_t>, quic_max_crypto_frames> ranges_{};
    std::size_t count_ = 0;
};

} // namespace

std::optional<QuicInitialHeader> parse_quic_initial(Bytes datagram) {
    if (datagram.size() < 7 || (datagram[0] & 0x80) == 0) return std::nullopt;
    QuicInitialHeader header;
    header.version = load_be32(datagram.data() + 1);
    if (!is_initial_type(datagram[0], header.version)) return std::nullopt;
    if (quic_draft_number(header.version) < min_draft) return std::nullopt;

    Bytes rest = datagram.subspan(5);
    if (!take_connection_id(rest, header.dcid) || !take_connection_id(rest, header.scid))
        return std::nullopt;
    const auto token_size = take_varint(rest);
    if (!token_size || *token_size >= rest.size()) return std::nullopt;
    header.token = rest.first(static_cast<std::size_t>(*token_size));
    rest = rest.subspan(header.token.size());
    const auto length = take_varint(rest);
    if (!length || *length > rest.size()) return std::nullopt;
    header.packet_number_offset = datagram.size() - rest.size();
    header.packet_size = header.packet_number_offset + static_cast<std::size_t>(*length);
    return header;
}

bool is_quic_initial(Bytes datagram) {
    if (datagram.size() < min_datagram || (datagram[0] & 0xC0) != 0xC0) return false;
    const auto header = parse_quic_initial(datagram);
    return header && header->dcid.size() <= quic_max_cid && header->scid.size() <= quic_max_cid;
}

std::optional<std::vector<std::uint8_t>> quic_decrypt_initial(Bytes datagram) {
    const auto first = parse_quic_initial(datagram);
    if (!first) return std::nullopt;
    const auto keys = derive_quic_initial_keys(first->version, first->dcid);
    if (!keys) return std::nullopt;
    std::vector<std::uint8_t> frames;
    frames.reserve(std::min(datagram.size(), quic_max_plaintext));
    if (!decrypt_packet(datagram.first(first->packet_size), first->packet_number_offset, *keys,
                        frames))
        return std::nullopt;

    Bytes rest = datagram.subspan(first->packet_size);
    for (unsigned count = 1; count < max_coalesced; ++count) {
        const auto next = parse_quic_initial(rest);
        if (!next || next->version != first->version ||
            !std::ranges::equal(next->dcid, first->dcid))
            break;
        const std::size_t before = frames.size();
        if (!decrypt_packet(rest.first(next->packet_size), next->packet_number_offset, *keys,
                            frames))
            break;
        if (!well_formed(Bytes(frames).subspan(before))) frames.resize(before);
        rest = rest.subspan(next->packet_size);
    }
    return frames;
}

bool quic_has_no_crypto(Bytes frames) {
    QuicFrameWalk walk(frames);
    for (QuicFrame frame; walk.next(frame);) {
        if (frame.kind == QuicFrame::Kind::crypto) return false;
    }
    return !walk.malformed();
}

std::optional<std::vector<std::uint8_t>> quic_crypto_only(Bytes frames) {
    // Four-byte varints hold every offset and length that can matter (RFC 9000 section 16).
    constexpr std::uint32_t four_bytes = 0x80000000, largest = 0x3FFFFFFF;
    std::vector<std::uint8_t> kept;
    QuicFrameWalk walk(frames);
    for (QuicFrame frame; walk.next(frame);) {
        if (frame.kind != QuicFrame::Kind::crypto) continue;
        if (frame.offset > largest) return std::nullopt;
        std::array<std::uint8_t, 9> head{0x06};
        store_be32(head.data() + 1, four_bytes | static_cast<std::uint32_t>(frame.offset));
        store_be32(head.data() + 5, four_bytes | static_cast<std::uint32_t>(frame.data.size()));
        kept.insert(kept.end(), head.begin(), head.end());
        kept.insert(kept.end(), frame.data.begin(), frame.data.end());
    }
    if (walk.malformed()) return std::nullopt;
    return kept;
}

std::optional<CryptoStream> quic_collect_crypto(Bytes frames) {
    CryptoStream stream;
    CryptoRanges ranges;
    QuicFrameWalk walk(frames);
    for (QuicFrame frame; walk.next(frame);) {
        if (frame.kind != QuicFrame::Kind::crypto) continue;
        if (frame.offset > quic_max_crypto_end ||
            frame.data.size() > quic_max_crypto_end - frame.offset)
            return std::nullopt;
        const auto offset = static_cast<std::uint16_t>(frame.offset);
        switch (ranges.add(offset, static_cast<std::uint16_t>(frame.data.size()))) {
        case CryptoRanges::Added::full:
            return std::nullopt;
        case CryptoRanges::Added::duplicate:
            continue;
        case CryptoRanges::Added::yes:
            break;
        }
        const std::size_t end = offset + frame.data.size();
        if (stream.data.size() < end) stream.data.resize(end);
        std::ranges::copy(frame.data, stream.data.begin() + offset);
    }
    if (walk.malformed() || ranges.empty()) return std::nullopt;
    stream.complete = ranges.contiguous_from_zero();
    stream.covered = ranges.covered();
    return stream;
}

} // namespace nfqws2::protocol
