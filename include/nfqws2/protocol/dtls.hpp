// DTLS hellos (docs/contracts/protocols.md#probes); no host name, nothing is reassembled.
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol {

// A DTLS record (RFC 6347 section 4.1) of type 22 that fits, message 1 (2).
bool is_dtls_client_hello(Bytes data);
bool is_dtls_server_hello(Bytes data);

} // namespace nfqws2::protocol
