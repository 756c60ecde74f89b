// The packets that the tests of rules speak of, by letter (docs/rules.md#packets-of-the-examples).
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::rules::test_packets {

using Packet = std::vector<std::uint8_t>;

struct Ip4 {
    std::string source = "10.0.0.1", destination = "192.0.2.10";
    std::uint8_t ttl = 64;
    std::uint16_t fragment = 0; // the field, flags and offset / 8
};

Packet ipv4(const Ip4& header, std::uint8_t protocol, const Packet& payload);
Packet ipv6(const std::string& source, const std::string& destination, std::uint8_t next,
            const Packet& payload);
Packet udp(std::uint16_t source, std::uint16_t destination, std::string_view payload);
Packet tcp(std::uint16_t source, std::uint16_t destination, std::uint8_t flags,
           const Packet& options, std::string_view payload);
Packet icmp(std::uint8_t type, std::uint8_t code);

// With right checksums of IP, TCP, UDP and ICMPv6.
void fix_checksums(Packet& packet);
bool checksums_right(const Packet& packet);

Packet U(); // UDP 10.0.0.1:4000 > 192.0.2.10:53, `hello`
Packet S(); // TCP SYN 10.0.0.1:40000 > 192.0.2.10:443, MSS 1460
Packet D(); // data of that connection
Packet V6();
Packet G();  // GRE, inside UDP
Packet P();  // IP in IP, inside TCP
Packet E();  // ESP, SPI 4096
Packet A();  // AH, SPI 4097, TCP
Packet GE(); // GRE with ESP inside, SPI 8192
Packet F0();
Packet F1();
Packet F2(); // fragments of one datagram
Packet C();  // SCTP 5000 > 6000
Packet I();  // echo request
Packet J();  // port unreachable
Packet N();  // ICMPv6 neighbour solicitation

} // namespace nfqws2::rules::test_packets
