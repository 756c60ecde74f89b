// One packet in one line for people, and the parts of it that traces show on their own.
#pragma once

#include "nfqws2/flow/track.hpp"
#include "nfqws2/packet/dissect.hpp"

#include <string>

namespace nfqws2::engine {

// "10.0.0.1:1025", "[2001:db8::1]:443"; without ports for what has none.
std::string source_text(const packet::Dissect& d);
std::string destination_text(const packet::Dissect& d);

// Flags as letters in the order F S R P A U E C: "SA", "PA".
std::string tcp_flags_text(std::uint8_t flags);

// "10.0.0.1:1025>10.0.0.2:443 PA seq=1 ack=1 dlen=20 ttl=64 ext=hopopts md5 bad-checksum", the last
// three where there is cause: extension headers of IPv6, a signature of TCP (RFC 2385). Numbers are
// relative if the packet belongs to `track` (may be nullptr) and the side's start is known.
// `as_sent`: the kernel sets length and header checksum of IPv4, so they are not judged.
std::string packet_text(Bytes packet, const flow::Track* track, bool as_sent);

} // namespace nfqws2::engine
