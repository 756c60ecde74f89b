// MTProto, obfuscated transport with the abridged tag (docs/contracts/protocols.md#probes).
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol {

// Only meaningful for the first bytes of a flow: the 64-byte header looks random otherwise.
bool is_mtproto_initial(Bytes data);

} // namespace nfqws2::protocol
