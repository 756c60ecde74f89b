#include "nfqws2/packet/checksum.hpp"

#include "nfqws2/packet/dissect.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace nfqws2::packet {

namespace {

std::uint32_t fold(std::uint64_t sum) {
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return static_cast<std::uint32_t>(sum);
}

std::uint32_t swap_bytes(std::uint32_t folded) {
    return (folded >> 8 | folded << 8) & 0xFFFF;
}

std::uint32_t pseudo_header(L4Checksum kind, Bytes ip, std::size_t length) {
    const bool v4 = (ip[0] >> 4) == 4;
    if (v4 && kind == L4Checksum::icmp) return 0;
    const std::uint8_t protocol = kind == L4Checksum::tcp   ? proto::tcp
                                  : kind == L4Checksum::udp ? proto::udp
                                                            : proto::icmpv6;
    const Bytes addresses = v4 ? ip.subspan(12, 8) : ip.subspan(8, 32);
    return checksum_add(fold(std::uint64_t{length} + protocol), addresses);
}

} // namespace

// The sum does not depend on byte order except for one swap at the end (RFC 1071 section 2), so the
// bytes are added in wide native words.
std::uint32_t checksum_add(std::uint32_t sum, Bytes data) {
    std::uint64_t native = 0;
    const std::uint8_t* p = data.data();
    std::size_t left = data.size();
    for (; left >= 8; left -= 8, p += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, p, 8);
        native += (word & 0xFFFFFFFF) + (word >> 32);
    }
    if (left != 0) {
        std::uint64_t word = 0;
        std::memcpy(&word, p, left);
        native += (word & 0xFFFFFFFF) + (word >> 32);
    }
    const std::uint32_t folded = fold(native);
    const bool little = std::endian::native == std::endian::little;
    return fold(std::uint64_t{sum} + (little ? swap_bytes(folded) : folded));
}

std::uint16_t checksum_finish(std::uint32_t sum) {
    return static_cast<std::uint16_t>(~fold(sum));
}

std::uint16_t pseudo_header_sum(L4Checksum kind, Bytes ip, std::size_t length) {
    return static_cast<std::uint16_t>(pseudo_header(kind, ip, length));
}

void fix_ipv4_checksum(MutBytes header) {
    const std::size_t size = std::min<std::size_t>((header[0] & 0x0FU) * 4U, header.size());
    store_be16(header.data() + 10, 0);
    store_be16(header.data() + 10, checksum_finish(checksum_add(0, header.first(size))));
}

std::uint16_t l4_checksum(L4Checksum kind, Bytes ip, Bytes l4_header, Bytes payload) {
    const std::size_t field = checksum_offset(kind);
    std::uint32_t sum = pseudo_header(kind, ip, l4_header.size() + payload.size());
    sum = checksum_add(sum, l4_header.first(field));
    sum = checksum_add(sum, l4_header.subspan(field + 2));
    const std::uint32_t rest = checksum_add(0, payload);
    sum = fold(std::uint64_t{sum} + (l4_header.size() % 2 ? swap_bytes(rest) : rest));
    const std::uint16_t result = checksum_finish(sum);
    return kind == L4Checksum::udp && result == 0 ? 0xFFFF : result;
}

} // namespace nfqws2::packet
