// Names of IP protocols in debug lines.
#pragma once

#include <cstdint>
#include <string>

namespace nfqws2::packet {

// "tcp", "udp", "icmp", "icmp6", else the number.
std::string proto_name(std::uint8_t l4proto);

} // namespace nfqws2::packet
