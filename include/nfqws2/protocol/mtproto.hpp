// MTProto, obfuscated transport with the abridged tag (docs/contracts/protocols.md#probes).
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol {

// Only meaningful for the first bytes of a flow: the 64-byte header looks random otherwise.
// 64 bytes at least; bytes 56 to 59, decrypted with AES-256-CTR (key bytes 8 to 39, counter 40 to
// 55, fourth block), are EF EF EF EF: the abridged tag.
bool is_mtproto_initial(Bytes data);

} // namespace nfqws2::protocol
