// The standard blobs that every Lua state has (docs/contracts/protocols.md#standard-blobs).
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol {

Bytes fake_default_tls();  // 680 bytes
Bytes fake_default_http(); // 263 bytes
Bytes fake_default_quic(); // 620 bytes

} // namespace nfqws2::protocol
