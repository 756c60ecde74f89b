// BitTorrent signatures: peer handshake over TCP, the same inside uTP, DHT messages
// (docs/contracts/protocols.md#probes).
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol {

// Byte 13 and "BitTorrent protocol", 68 bytes; behind 20 bytes of uTP, 88.
bool is_bt_handshake(Bytes data);
bool is_utp_bt_handshake(Bytes data);
// "d1:ad", "d1:rd", "d2:ip" or "d1:el" first, "e" last.
bool is_dht(Bytes data);

} // namespace nfqws2::protocol
