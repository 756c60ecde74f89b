// Known messages, which an input cuts to pieces and spoils.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/protocol/blobs.hpp"

#include <cstdint>

namespace nfqws2::fuzz {

// Empty for a quarter of the choices.
inline Bytes known_payload(std::uint8_t which) {
    switch (which % 4) {
    case 0:
        return protocol::fake_default_tls();
    case 1:
        return protocol::fake_default_http();
    case 2:
        return protocol::fake_default_quic();
    default:
        return {};
    }
}

} // namespace nfqws2::fuzz
