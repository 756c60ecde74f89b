#include "nfqws2/protocol/wireguard.hpp"

namespace nfqws2::protocol {

namespace {

// The type is a little-endian word whose upper three bytes are reserved.
bool has_type(Bytes data, std::uint32_t type) {
    return load_be32(data.data()) == type << 24;
}

} // namespace

bool is_wireguard_initiation(Bytes data) {
    return data.size() == 148 && has_type(data, 1);
}
bool is_wireguard_response(Bytes data) {
    return data.size() == 92 && has_type(data, 2);
}
bool is_wireguard_cookie(Bytes data) {
    return data.size() == 64 && has_type(data, 3);
}
bool is_wireguard_keepalive(Bytes data) {
    return data.size() == 32 && has_type(data, 4);
}
bool is_wireguard_data(Bytes data) {
    return data.size() >= 52 && has_type(data, 4);
}

} // namespace nfqws2::protocol
