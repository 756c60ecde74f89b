// States and lifetimes of simulated TCP connections: those of Linux.
#pragma once

#include "nfqws2/packet/connection.hpp"

#include <cstdint>

namespace nfqws2::flow::detail {

// Whether a packet with these flags may begin a connection.
bool may_begin_tcp(std::uint8_t flags);
packet::CtTcp next_tcp_state(packet::CtTcp state, std::uint8_t flags, bool reply);
std::uint32_t tcp_timeout(packet::CtTcp state);

inline constexpr std::uint32_t unacknowledged_timeout = 300;

} // namespace nfqws2::flow::detail
