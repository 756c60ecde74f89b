// Discord voice: the client's IP discovery request (docs/contracts/protocols.md#probes).
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol {

bool is_discord_ip_discovery(Bytes data);

} // namespace nfqws2::protocol
