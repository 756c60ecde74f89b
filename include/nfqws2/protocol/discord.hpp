// Discord voice: the client's IP discovery request (docs/contracts/protocols.md#probes).
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol {

// 74 bytes, 00 01 00 46 first, bytes 8 to 71 zero.
bool is_discord_ip_discovery(Bytes data);

} // namespace nfqws2::protocol
