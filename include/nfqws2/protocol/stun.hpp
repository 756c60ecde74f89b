// STUN messages with the magic cookie of RFC 8489 section 5 (docs/contracts/protocols.md#probes).
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol {

bool is_stun(Bytes data);

} // namespace nfqws2::protocol
