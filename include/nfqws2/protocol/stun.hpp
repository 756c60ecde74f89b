// STUN messages with the magic cookie of RFC 5389 (part 04 section 9).
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol {

bool is_stun(Bytes data);

} // namespace nfqws2::protocol
