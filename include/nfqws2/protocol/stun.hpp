// STUN messages with the magic cookie of RFC 8489 section 5 (docs/contracts/protocols.md#probes).
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol {

// 20 bytes at least: two leading zero bits, magic cookie, length a multiple of 4 that fits.
bool is_stun(Bytes data);

} // namespace nfqws2::protocol
