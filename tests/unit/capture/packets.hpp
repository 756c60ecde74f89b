// Small packets for the tests, built byte by byte so that they do not depend on the code under
// test.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/text.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::capture::test {

using Buffer = std::vector<std::uint8_t>;

inline Buffer unhex(std::string_view text) {
    std::string digits;
    for (const char c : text)
        if (c != ' ' && c != '\n') digits += c;
    return from_hex(digits).value_or(Buffer{});
}

inline std::uint16_t sum16(Bytes data) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < data.size(); i++)
        sum += i % 2 == 0 ? static_cast<std::uint32_t>(data[i]) << 8 : data[i];
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

// UDP over IPv4 without UDP checksum. Addresses as four bytes each.
inline Buffer udp4(std::uint32_t source, std::uint32_t destination, std::uint16_t port,
                   std::string_view payload, std::uint16_t id = 0x1234) {
    Buffer p(28 + payload.size());
    p[0] = 0x45;
    store_be16(&p[2], static_cast<std::uint16_t>(p.size()));
    store_be16(&p[4], id);
    p[8] = 64;
    p[9] = 17;
    store_be32(&p[12], source);
    store_be32(&p[16], destination);
    store_be16(&p[10], sum16(Bytes(p).first(20)));
    store_be16(&p[20], 4000);
    store_be16(&p[22], port);
    store_be16(&p[24], static_cast<std::uint16_t>(8 + payload.size()));
    for (std::size_t i = 0; i < payload.size(); i++)
        p[28 + i] = static_cast<std::uint8_t>(payload[i]);
    return p;
}

// IPv6 base header with any next header (59: nothing follows).
inline Buffer ipv6(Bytes source, Bytes destination, std::uint8_t next, std::string_view payload) {
    Buffer p(40 + payload.size());
    p[0] = 0x60;
    store_be16(&p[4], static_cast<std::uint16_t>(payload.size()));
    p[6] = next;
    p[7] = 64;
    for (std::size_t i = 0; i < 16; i++) {
        p[8 + i] = source[i];
        p[24 + i] = destination[i];
    }
    for (std::size_t i = 0; i < payload.size(); i++)
        p[40 + i] = static_cast<std::uint8_t>(payload[i]);
    return p;
}

} // namespace nfqws2::capture::test
