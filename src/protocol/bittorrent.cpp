#include "nfqws2/protocol/bittorrent.hpp"

#include <string_view>

namespace nfqws2::protocol {

namespace {

constexpr std::string_view handshake = "\x13"
                                       "BitTorrent protocol";
constexpr std::size_t handshake_size = 68; // with reserved bytes, info hash and peer id
constexpr std::size_t utp_header = 20;

} // namespace

bool is_bt_handshake(Bytes data) {
    return data.size() >= handshake_size && as_text(data).starts_with(handshake);
}

bool is_utp_bt_handshake(Bytes data) {
    return data.size() >= utp_header + handshake_size && data[0] == 0x01 &&
           is_bt_handshake(data.subspan(utp_header));
}

bool is_dht(Bytes data) {
    if (data.size() < 5 || data[0] != 'd' || data.back() != 'e') return false;
    const std::string_view text = as_text(data);
    return text.starts_with("d1:ad") || text.starts_with("d1:rd") || text.starts_with("d2:ip") ||
           text.starts_with("d1:el");
}

} // namespace nfqws2::protocol
