// WireGuard message types by leading word and size (docs/contracts/protocols.md#probes).
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol {

// The type with three zero bytes, exactly 148, 92, 64 and 32 bytes; data 52 at least. Variants with
// other reserved bytes are none.
bool is_wireguard_initiation(Bytes data);
bool is_wireguard_response(Bytes data);
bool is_wireguard_cookie(Bytes data);
bool is_wireguard_keepalive(Bytes data);
// Weak on its own; the caller asks only in flows already known as WireGuard.
bool is_wireguard_data(Bytes data);

} // namespace nfqws2::protocol
