// Headers without their options, in bytes.
#pragma once

#include <cstddef>

namespace nfqws2::packet {

inline constexpr std::size_t ipv4_base = 20, ipv6_base = 40;
inline constexpr std::size_t tcp_base = 20, udp_base = 8, icmp_base = 8;

} // namespace nfqws2::packet
