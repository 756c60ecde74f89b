// Every flow protocol and every payload type, a row each: all that is particular to one stands
// here. Detection, names, help texts, --check, --explain, markers and the automatic lists follow
// from it.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/protocol/bittorrent.hpp"
#include "nfqws2/protocol/discord.hpp"
#include "nfqws2/protocol/dns.hpp"
#include "nfqws2/protocol/dtls.hpp"
#include "nfqws2/protocol/http.hpp"
#include "nfqws2/protocol/marker.hpp"
#include "nfqws2/protocol/mtproto.hpp"
#include "nfqws2/protocol/names.hpp"
#include "nfqws2/protocol/quic.hpp"
#include "nfqws2/protocol/stun.hpp"
#include "nfqws2/protocol/tls.hpp"
#include "nfqws2/protocol/wireguard.hpp"
#include "nfqws2/protocol/xmpp.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::protocol {

// Which packets may carry a payload type: bits.
namespace carrier {
inline constexpr std::uint8_t none = 0; // a word of filters, no packet
inline constexpr std::uint8_t tcp_initiator = 1, tcp_responder = 2, udp = 4;
inline constexpr std::uint8_t icmp = 8, icmp_quote = 16, any = 32;
inline constexpr std::uint8_t tcp = tcp_initiator | tcp_responder;
inline constexpr std::uint8_t detected = tcp | udp; // by its bytes, so --payload-disable knows it
} // namespace carrier

// A signature too weak for any packet is asked for only in some.
enum class Only : std::uint8_t { anywhere, own_flow, start_of_stream };

struct ByteRange {
    std::uint8_t low = 0, high = 0xFF;
};

struct L7Row {
    L7 l7;
    std::string_view name;
    bool many_hosts = false; // a later packet of the flow may name another host
};

struct PayloadRow {
    Payload payload;
    std::string_view name;
    L7 l7 = L7::unknown;
    std::uint8_t carriers = carrier::none;
    ByteRange first = {}; // rejects most packets without a call
    bool (*matches)(Bytes) = nullptr;
    Only only = Only::anywhere;
    // Of those that one packet may carry the lower turn is asked first, then the earlier row: two
    // may claim the same bytes, and strategies rely on which of them wins.
    std::uint8_t turn = 9;
    // The host that a whole message names, not normalised. A message in pieces is joined before.
    std::optional<std::string> (*host)(Bytes) = nullptr;
    std::optional<std::size_t> (*position)(Bytes, Anchor) = nullptr; // of a named marker
    bool (*sends_elsewhere)(Bytes,
                            std::string_view host) = nullptr; // an answer in place of the host
};

// Positions of the rows are the bits of filters: new ones stand at the end.
inline constexpr std::array l7_rows = std::to_array<L7Row>({
    {.l7 = L7::all, .name = "all"},
    {.l7 = L7::unknown, .name = "unknown"},
    {.l7 = L7::known, .name = "known"},
    {.l7 = L7::http, .name = "http", .many_hosts = true},
    {.l7 = L7::tls, .name = "tls"},
    {.l7 = L7::dtls, .name = "dtls"},
    {.l7 = L7::quic, .name = "quic"},
    {.l7 = L7::wireguard, .name = "wireguard"},
    {.l7 = L7::dht, .name = "dht"},
    {.l7 = L7::discord, .name = "discord"},
    {.l7 = L7::stun, .name = "stun"},
    {.l7 = L7::xmpp, .name = "xmpp"},
    {.l7 = L7::dns, .name = "dns"},
    {.l7 = L7::mtproto, .name = "mtproto"},
    {.l7 = L7::bt, .name = "bt"},
    {.l7 = L7::utp_bt, .name = "utp_bt"},
});

inline constexpr std::array payload_rows = std::to_array<PayloadRow>({
    {.payload = Payload::all, .name = "all"},
    {.payload = Payload::unknown, .name = "unknown", .carriers = carrier::any},
    {.payload = Payload::empty, .name = "empty", .carriers = carrier::any},
    {.payload = Payload::known, .name = "known"},
    {.payload = Payload::ipv4, .name = "ipv4", .carriers = carrier::icmp_quote},
    {.payload = Payload::ipv6, .name = "ipv6", .carriers = carrier::icmp_quote},
    {.payload = Payload::icmp, .name = "icmp", .carriers = carrier::icmp},
    {.payload = Payload::http_req,
     .name = "http_req",
     .l7 = L7::http,
     .carriers = carrier::tcp_initiator,
     .first = {'C', 'T'},
     .matches = is_http_request,
     .host = http_host,
     .position = http_position},
    {.payload = Payload::http_reply,
     .name = "http_reply",
     .l7 = L7::http,
     .carriers = carrier::tcp_responder,
     .first = {'H', 'H'},
     .matches = is_http_reply,
     .sends_elsewhere = is_foreign_redirect},
    {.payload = Payload::tls_client_hello,
     .name = "tls_client_hello",
     .l7 = L7::tls,
     .carriers = carrier::tcp_initiator,
     .first = {0x16, 0x16},
     .matches = is_tls_client_hello,
     .host = tls_client_hello_host,
     .position = tls_position},
    {.payload = Payload::tls_server_hello,
     .name = "tls_server_hello",
     .l7 = L7::tls,
     .carriers = carrier::tcp_responder,
     .first = {0x16, 0x16},
     .matches = is_tls_server_hello},
    {.payload = Payload::dtls_client_hello,
     .name = "dtls_client_hello",
     .l7 = L7::dtls,
     .carriers = carrier::udp,
     .first = {0x16, 0x16},
     .matches = is_dtls_client_hello},
    {.payload = Payload::dtls_server_hello,
     .name = "dtls_server_hello",
     .l7 = L7::dtls,
     .carriers = carrier::udp,
     .first = {0x16, 0x16},
     .matches = is_dtls_server_hello},
    {.payload = Payload::quic_initial,
     .name = "quic_initial",
     .l7 = L7::quic,
     .carriers = carrier::udp,
     .first = {0xC0, 0xDF},
     .matches = is_quic_initial,
     .turn = 1},
    {.payload = Payload::wireguard_initiation,
     .name = "wireguard_initiation",
     .l7 = L7::wireguard,
     .carriers = carrier::udp,
     .first = {1, 1},
     .matches = is_wireguard_initiation},
    {.payload = Payload::wireguard_response,
     .name = "wireguard_response",
     .l7 = L7::wireguard,
     .carriers = carrier::udp,
     .first = {2, 2},
     .matches = is_wireguard_response},
    {.payload = Payload::wireguard_cookie,
     .name = "wireguard_cookie",
     .l7 = L7::wireguard,
     .carriers = carrier::udp,
     .first = {3, 3},
     .matches = is_wireguard_cookie},
    {.payload = Payload::wireguard_keepalive,
     .name = "wireguard_keepalive",
     .l7 = L7::wireguard,
     .carriers = carrier::udp,
     .first = {4, 4},
     .matches = is_wireguard_keepalive},
    {.payload = Payload::wireguard_data,
     .name = "wireguard_data",
     .l7 = L7::wireguard,
     .carriers = carrier::udp,
     .first = {4, 4},
     .matches = is_wireguard_data,
     .only = Only::own_flow},
    {.payload = Payload::dht,
     .name = "dht",
     .l7 = L7::dht,
     .carriers = carrier::udp,
     .first = {'d', 'd'},
     .matches = is_dht},
    {.payload = Payload::discord_ip_discovery,
     .name = "discord_ip_discovery",
     .l7 = L7::discord,
     .carriers = carrier::udp,
     .first = {0, 0},
     .matches = is_discord_ip_discovery,
     .turn = 2},
    {.payload = Payload::stun,
     .name = "stun",
     .l7 = L7::stun,
     .carriers = carrier::udp,
     .first = {0, 0x3F},
     .matches = is_stun,
     .turn = 3},
    {.payload = Payload::xmpp_stream,
     .name = "xmpp_stream",
     .l7 = L7::xmpp,
     .carriers = carrier::tcp,
     .first = {'<', '<'},
     .matches = is_xmpp_stream},
    {.payload = Payload::xmpp_starttls,
     .name = "xmpp_starttls",
     .l7 = L7::xmpp,
     .carriers = carrier::tcp_initiator,
     .first = {'<', '<'},
     .matches = is_xmpp_starttls},
    {.payload = Payload::xmpp_proceed,
     .name = "xmpp_proceed",
     .l7 = L7::xmpp,
     .carriers = carrier::tcp_responder,
     .first = {'<', '<'},
     .matches = is_xmpp_proceed},
    {.payload = Payload::xmpp_features,
     .name = "xmpp_features",
     .l7 = L7::xmpp,
     .carriers = carrier::tcp_responder,
     .first = {'<', '<'},
     .matches = is_xmpp_features},
    {.payload = Payload::dns_query,
     .name = "dns_query",
     .l7 = L7::dns,
     .carriers = carrier::udp,
     .matches = is_dns_query,
     .turn = 4},
    {.payload = Payload::dns_response,
     .name = "dns_response",
     .l7 = L7::dns,
     .carriers = carrier::udp,
     .matches = is_dns_response,
     .turn = 4},
    {.payload = Payload::mtproto_initial,
     .name = "mtproto_initial",
     .l7 = L7::mtproto,
     .carriers = carrier::tcp_initiator,
     .matches = is_mtproto_initial,
     .only = Only::start_of_stream,
     .turn = 10},
    {.payload = Payload::bt_handshake,
     .name = "bt_handshake",
     .l7 = L7::bt,
     .carriers = carrier::tcp,
     .first = {0x13, 0x13},
     .matches = is_bt_handshake},
    {.payload = Payload::utp_bt_handshake,
     .name = "utp_bt_handshake",
     .l7 = L7::utp_bt,
     .carriers = carrier::udp,
     .first = {1, 1},
     .matches = is_utp_bt_handshake,
     .turn = 5},
});

// The names of all rows, a blank between two, with a NUL at the end.
template <const auto& rows> consteval auto joined_names() {
    constexpr std::size_t size = [] {
        std::size_t sum = 0;
        for (const auto& r : rows)
            sum += r.name.size() + 1;
        return sum;
    }();
    std::array<char, size> text{};
    std::size_t at = 0;
    for (const auto& r : rows) {
        if (at != 0) text[at++] = ' ';
        for (const char c : r.name)
            text[at++] = c;
    }
    return text;
}

// A text that ends with all names of a table.
template <const auto& rows, std::size_t size>
consteval auto text_with_names(const char (&text)[size]) {
    constexpr auto names = joined_names<rows>();
    std::array<char, size - 1 + names.size()> whole{};
    std::copy(text, text + size - 1, whole.begin());
    std::ranges::copy(names, whole.begin() + size - 1);
    return whole;
}

constexpr const L7Row& row(L7 v) {
    return l7_rows[static_cast<std::size_t>(v)];
}
constexpr const PayloadRow& row(Payload v) {
    return payload_rows[static_cast<std::size_t>(v)];
}

namespace detail {
consteval bool in_order() {
    for (std::size_t i = 0; i < l7_rows.size(); ++i)
        if (static_cast<std::size_t>(l7_rows[i].l7) != i) return false;
    for (std::size_t i = 0; i < payload_rows.size(); ++i)
        if (static_cast<std::size_t>(payload_rows[i].payload) != i) return false;
    return l7_rows.size() == static_cast<std::size_t>(L7::count) &&
           payload_rows.size() == static_cast<std::size_t>(Payload::count);
}
static_assert(in_order(), "a row for each enumerator, in their order");
} // namespace detail

} // namespace nfqws2::protocol
