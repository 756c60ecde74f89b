// BitTorrent signatures: peer handshake over TCP, the same inside uTP, DHT messages
// (docs/contracts/protocols.md#probes).
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol {

bool is_bt_handshake(Bytes data);
bool is_utp_bt_handshake(Bytes data);
bool is_dht(Bytes data);

} // namespace nfqws2::protocol
