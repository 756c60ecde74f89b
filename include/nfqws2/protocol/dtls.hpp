// DTLS hello recognition (part 04 section 9); no host name is extracted and nothing is reassembled.
#pragma once

#include "nfqws2/base/bytes.hpp"

namespace nfqws2::protocol {

bool is_dtls_client_hello(Bytes data);
bool is_dtls_server_hello(Bytes data);

} // namespace nfqws2::protocol
