// Numbers of the IP protocols that only traffic rules know (packet::proto has the others).
#pragma once

#include <cstdint>

namespace nfqws2::rules {

inline constexpr std::uint8_t ipip = 4, ip6_in_ip = 41, gre = 47, esp = 50, sctp = 132;

} // namespace nfqws2::rules
