#include "nfqws2/protocol/detect.hpp"

#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/protocol/bittorrent.hpp"
#include "nfqws2/protocol/discord.hpp"
#include "nfqws2/protocol/dns.hpp"
#include "nfqws2/protocol/dtls.hpp"
#include "nfqws2/protocol/http.hpp"
#include "nfqws2/protocol/mtproto.hpp"
#include "nfqws2/protocol/quic.hpp"
#include "nfqws2/protocol/stun.hpp"
#include "nfqws2/protocol/tls.hpp"
#include "nfqws2/protocol/wireguard.hpp"
#include "nfqws2/protocol/xmpp.hpp"

#include <array>
#include <span>

namespace nfqws2::protocol {

namespace {

// The range of the first byte rejects most packets without a call.
struct Probe {
    std::uint8_t first_low, first_high;
    Payload payload;
    L7 l7;
    bool (*matches)(Bytes);
    bool needs_flow = false; // only in flows already known as `l7`
};

constexpr std::array<Probe, 5> tcp_initiator = {{
    {0x16, 0x16, Payload::tls_client_hello, L7::tls, is_tls_client_hello},
    {'C', 'T', Payload::http_req, L7::http, is_http_request},
    {'<', '<', Payload::xmpp_stream, L7::xmpp, is_xmpp_stream},
    {'<', '<', Payload::xmpp_starttls, L7::xmpp, is_xmpp_starttls},
    {0x13, 0x13, Payload::bt_handshake, L7::bt, is_bt_handshake},
}};

constexpr std::array<Probe, 6> tcp_responder = {{
    {0x16, 0x16, Payload::tls_server_hello, L7::tls, is_tls_server_hello},
    {'H', 'H', Payload::http_reply, L7::http, is_http_reply},
    {'<', '<', Payload::xmpp_stream, L7::xmpp, is_xmpp_stream},
    {'<', '<', Payload::xmpp_proceed, L7::xmpp, is_xmpp_proceed},
    {'<', '<', Payload::xmpp_features, L7::xmpp, is_xmpp_features},
    {0x13, 0x13, Payload::bt_handshake, L7::bt, is_bt_handshake},
}};

constexpr std::array<Probe, 14> udp = {{
    {0xC0, 0xDF, Payload::quic_initial, L7::quic, is_quic_initial},
    {0x00, 0x00, Payload::discord_ip_discovery, L7::discord, is_discord_ip_discovery},
    {0x00, 0x3F, Payload::stun, L7::stun, is_stun},
    {0x00, 0xFF, Payload::dns_query, L7::dns, is_dns_query},
    {0x00, 0xFF, Payload::dns_response, L7::dns, is_dns_response},
    {'d', 'd', Payload::dht, L7::dht, is_dht},
    {0x16, 0x16, Payload::dtls_client_hello, L7::dtls, is_dtls_client_hello},
    {0x16, 0x16, Payload::dtls_server_hello, L7::dtls, is_dtls_server_hello},
    {0x01, 0x01, Payload::utp_bt_handshake, L7::utp_bt, is_utp_bt_handshake},
    {0x01, 0x01, Payload::wireguard_initiation, L7::wireguard, is_wireguard_initiation},
    {0x02, 0x02, Payload::wireguard_response, L7::wireguard, is_wireguard_response},
    {0x03, 0x03, Payload::wireguard_cookie, L7::wireguard, is_wireguard_cookie},
    {0x04, 0x04, Payload::wireguard_keepalive, L7::wireguard, is_wireguard_keepalive},
    {0x04, 0x04, Payload::wireguard_data, L7::wireguard, is_wireguard_data, true},
}};

void add_protocols(L7Set& set, std::span<const Probe> list) {
    for (const Probe& p : list)
        set.add(p.l7);
}

Detection probe(std::span<const Probe> list, Bytes data, L7 flow, const DisableSet& disabled) {
    const std::uint8_t first = data[0];
    for (const Probe& p : list) {
        if (first < p.first_low || first > p.first_high) continue;
        if (p.needs_flow && flow != p.l7) continue;
        // The signature before the set: few match, so few need the second question.
        if (p.matches(data) && !disabled.contains(p.payload)) return {p.payload, p.l7};
    }
    return {};
}

} // namespace

Detection detect_tcp_initiator(Bytes data, const DisableSet& disabled) {
    return probe(tcp_initiator, data, L7::unknown, disabled);
}

Detection detect_mtproto(Bytes data, const DisableSet& disabled) {
    if (disabled.contains(Payload::mtproto_initial) || !is_mtproto_initial(data)) return {};
    return {Payload::mtproto_initial, L7::mtproto};
}

Detection detect_tcp_responder(Bytes data, const DisableSet& disabled) {
    return probe(tcp_responder, data, L7::unknown, disabled);
}

Detection detect_udp(Bytes data, L7 flow, const DisableSet& disabled) {
    return probe(udp, data, flow, disabled);
}

L7Set tcp_flow_protocols() {
    L7Set set = L7Set::of(L7::mtproto);
    add_protocols(set, tcp_initiator);
    add_protocols(set, tcp_responder);
    return set;
}

L7Set udp_flow_protocols() {
    L7Set set;
    add_protocols(set, udp);
    return set;
}

bool icmp_type_quotes_packet(std::uint8_t type) {
    switch (type) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 11:
    case 12:
        return true;
    default:
        return false;
    }
}

Payload classify_icmp(Bytes message) {
    constexpr std::size_t header = 8;
    if (message.empty() || !icmp_type_quotes_packet(message[0])) return Payload::icmp;
    const Bytes quoted = clipped(message, header);
    if (packet::looks_like_ipv4(quoted)) return Payload::ipv4;
    if (packet::looks_like_ipv6(quoted)) return Payload::ipv6;
    return Payload::icmp;
}

} // namespace nfqws2::protocol
