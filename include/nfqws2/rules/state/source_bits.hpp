// The part of an address that counts as one source.
#pragma once

#include "nfqws2/base/ip_address.hpp"

namespace nfqws2::rules {

// Keeps the first `bits` of an address; all of an IPv4 address when there are more than 32.
inline IpAddress first_bits(IpAddress address, unsigned bits) {
    const auto size = address.bytes().size();
    for (std::size_t i = 0; i < size; i++) {
        const unsigned begin = static_cast<unsigned>(i) * 8;
        if (bits >= begin + 8) continue;
        const unsigned kept = bits > begin ? bits - begin : 0;
        address.raw[i] = static_cast<std::uint8_t>(address.raw[i] & 0xFF00U >> kept);
    }
    return address;
}
// A source as marks, meters and tcpauth see it.
inline IpAddress source_of(const IpAddress& address, unsigned ipv6_bits) {
    return address.version == 6 && ipv6_bits < 128 ? first_bits(address, ipv6_bits) : address;
}

} // namespace nfqws2::rules
