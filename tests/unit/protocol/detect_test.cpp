#include "nfqws2/protocol/detect.hpp"

#include "nfqws2/protocol/table.hpp"
#include "samples.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol::test {
namespace {

DisableSet disabled(std::string_view list) {
    DisableSet set;
    set.set(*parse_payload_set(list));
    return set;
}

TEST(Detect, DisabledTypeIsSkipped) {
    const Buffer& hello = sample_payload("tls_ch_plain");
    EXPECT_EQ(detect_tcp_initiator(hello, false, {}).payload, Payload::tls_client_hello);
    EXPECT_EQ(detect_tcp_initiator(hello, false, disabled("tls_client_hello")).payload,
              Payload::unknown);
    EXPECT_EQ(detect_tcp_initiator(hello, false, disabled("tls_client_hello")).l7, L7::unknown);
    EXPECT_EQ(detect_tcp_initiator(hello, false, disabled("all")).payload, Payload::unknown);
    const Buffer& reply = sample_payload("http_reply_200");
    EXPECT_EQ(detect_tcp_responder(reply, disabled("http_reply")).payload, Payload::unknown);
    EXPECT_EQ(detect_tcp_responder(reply, disabled("http_req")).payload, Payload::http_reply);
    const Buffer& mtproto = sample_payload("mtproto_abridged_64");
    EXPECT_EQ(detect_tcp_initiator(mtproto, true, {}).payload, Payload::mtproto_initial);
    EXPECT_EQ(detect_tcp_initiator(mtproto, true, disabled("mtproto_initial")).payload,
              Payload::unknown);
}

// A DNS query is laid over other formats by choosing its id.
TEST(Detect, DisablingLetsTheNextProbeMatch) {
    Buffer data = hex("64313a6164000001000000000000");
    data.resize(20, 0);
    data.back() = 'e';
    // d1:ad...e that is no DNS message
    EXPECT_EQ(detect_udp(data, L7::unknown, {}).payload, Payload::dht);

    // A cookie-sized WireGuard message 03 00 00 00 | 00 01 00 00 00 00 00 00 is a DNS query, too.
    Buffer cookie(64, 0);
    cookie[0] = 3;
    cookie[5] = 1;
    EXPECT_EQ(detect_udp(cookie, L7::unknown, {}).payload, Payload::dns_query);
    const Detection next = detect_udp(cookie, L7::unknown, disabled("dns_query"));
    EXPECT_EQ(next.payload, Payload::wireguard_cookie);
    EXPECT_EQ(next.l7, L7::wireguard);
    EXPECT_EQ(detect_udp(cookie, L7::unknown, disabled("dns_query,wireguard_cookie")).payload,
              Payload::unknown);
}

TEST(Detect, WireguardDataNeedsItsFlow) {
    Buffer data(80, 0xAA);
    data[0] = 4;
    data[1] = data[2] = data[3] = 0;
    EXPECT_EQ(detect_udp(data, L7::unknown, {}).payload, Payload::unknown);
    EXPECT_EQ(detect_udp(data, L7::stun, {}).payload, Payload::unknown);
    EXPECT_EQ(detect_udp(data, L7::wireguard, {}).payload, Payload::wireguard_data);
}

TEST(Detect, LaterPayloadsOfOtherProtocolsKeepTheirType) {
    EXPECT_EQ(detect_udp(sample_payload("dns_query_a"), L7::stun, {}).payload, Payload::dns_query);
    EXPECT_EQ(detect_udp(sample_payload("stun_20"), L7::wireguard, {}).payload, Payload::stun);
}

TEST(Detect, DirectionChoosesTheList) {
    EXPECT_EQ(detect_tcp_responder(sample_payload("tls_ch_plain"), {}).payload, Payload::unknown);
    EXPECT_EQ(detect_tcp_responder(sample_payload("tls_sh"), {}).payload,
              Payload::tls_server_hello);
    EXPECT_EQ(detect_tcp_initiator(sample_payload("tls_sh"), false, {}).payload, Payload::unknown);
    EXPECT_EQ(detect_tcp_responder(sample_payload("xmpp_starttls"), {}).payload, Payload::unknown);
    EXPECT_EQ(detect_tcp_initiator(sample_payload("xmpp_features"), false, {}).payload,
              Payload::unknown);
    for (const char* both : {"xmpp_stream_out", "bt_out"}) {
        EXPECT_NE(detect_tcp_initiator(sample_payload(both), false, {}).payload, Payload::unknown);
        EXPECT_NE(detect_tcp_responder(sample_payload(both), {}).payload, Payload::unknown);
    }
}

TEST(Detect, MtprotoOnlyBeginsAStream) {
    EXPECT_EQ(detect_tcp_initiator(sample_payload("mtproto_abridged_64"), false, {}).payload,
              Payload::unknown);
}

TEST(Detect, IcmpTypesWithAQuotedPacket) {
    for (unsigned type = 0; type < 256; ++type) {
        const bool wanted = (type >= 1 && type <= 5) || type == 11 || type == 12;
        EXPECT_EQ(icmp_type_quotes_packet(static_cast<std::uint8_t>(type)), wanted) << type;
    }
    EXPECT_EQ(classify_icmp({}), Payload::icmp);
    EXPECT_EQ(classify_icmp(hex("0301000000000000")), Payload::icmp);
}

// Signatures may overlap; strategies rely on who is asked first.
TEST(Detect, TheOrderOfTheUdpProbes) {
    Buffer utp(148, 0);
    utp[0] = 1;
    const std::string handshake = "\x13"
                                  "BitTorrent protocol";
    std::copy(handshake.begin(), handshake.end(), utp.begin() + 20);
    EXPECT_EQ(detect_udp(utp, L7::unknown, {}).payload, Payload::utp_bt_handshake);
    EXPECT_EQ(detect_udp(utp, L7::unknown, disabled("utp_bt_handshake")).payload,
              Payload::wireguard_initiation);
}

// Each protocol can be found over TCP or over UDP, none over both.
TEST(Detect, FlowProtocolsOfTheTransports) {
    const auto tcp = protocols_over(carrier::tcp), udp = protocols_over(carrier::udp);
    EXPECT_TRUE(to_text(tcp).starts_with("http,tls,xmpp,mtproto,bt")) << to_text(tcp);
    EXPECT_TRUE(to_text(udp).starts_with("dtls,quic,wireguard,dht,discord,stun,dns,utp_bt"))
        << to_text(udp);
    for (int i = static_cast<int>(L7::known) + 1; i < static_cast<int>(L7::count); ++i)
        EXPECT_NE(tcp.has(static_cast<L7>(i)), udp.has(static_cast<L7>(i)))
            << name(static_cast<L7>(i));
}

} // namespace
} // namespace nfqws2::protocol::test
