#include "nfqws2/protocol/dtls.hpp"

namespace nfqws2::protocol {

namespace {

bool is_handshake(Bytes data, std::uint8_t type) {
    if (data.size() < 14 || data[0] != 0x16 || data[13] != type) return false;
    const std::uint16_t version = load_be16(data.data() + 1);
    const bool known_version =
        version == 0xFEFF || version == 0xFEFD || version == 0xFEFC || version == 0x0100;
    return known_version && std::size_t{load_be16(data.data() + 11)} + 13 <= data.size();
}

} // namespace

bool is_dtls_client_hello(Bytes data) {
    return is_handshake(data, 1);
}
bool is_dtls_server_hello(Bytes data) {
    return is_handshake(data, 2);
}

} // namespace nfqws2::protocol
