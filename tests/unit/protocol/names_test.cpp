#include "nfqws2/protocol/names.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol {
namespace {

// Scripts and debug text see names in the order of bits: those that have been seen keep their
// places, new ones stand behind them.
TEST(Names, FlowProtocolsInBitOrder) {
    static constexpr const char* expected[] = {
        "all", "unknown", "known", "http", "tls", "dtls",    "quic", "wireguard",
        "dht", "discord", "stun",  "xmpp", "dns", "mtproto", "bt",   "utp_bt"};
    ASSERT_LE(std::size(expected), static_cast<std::size_t>(L7::count));
    for (std::size_t i = 0; i < std::size(expected); ++i) {
        EXPECT_EQ(name(static_cast<L7>(i)), expected[i]);
        EXPECT_EQ(l7_from_name(expected[i]), static_cast<L7>(i));
    }
    for (auto l7 = L7::all; l7 < L7::count; l7 = static_cast<L7>(static_cast<int>(l7) + 1))
        EXPECT_EQ(l7_from_name(name(l7)), l7) << name(l7);
}

TEST(Names, PayloadTypesInBitOrder) {
    static constexpr const char* expected[] = {"all",
                                               "unknown",
                                               "empty",
                                               "known",
                                               "ipv4",
                                               "ipv6",
                                               "icmp",
                                               "http_req",
                                               "http_reply",
                                               "tls_client_hello",
                                               "tls_server_hello",
                                               "dtls_client_hello",
                                               "dtls_server_hello",
                                               "quic_initial",
                                               "wireguard_initiation",
                                               "wireguard_response",
                                               "wireguard_cookie",
                                               "wireguard_keepalive",
                                               "wireguard_data",
                                               "dht",
                                               "discord_ip_discovery",
                                               "stun",
                                               "xmpp_stream",
                                               "xmpp_starttls",
                                               "xmpp_proceed",
                                               "xmpp_features",
                                               "dns_query",
                                               "dns_response",
                                               "mtproto_initial",
                                               "bt_handshake",
                                               "utp_bt_handshake"};
    ASSERT_LE(std::size(expected), static_cast<std::size_t>(Payload::count));
    for (std::size_t i = 0; i < std::size(expected); ++i) {
        EXPECT_EQ(name(static_cast<Payload>(i)), expected[i]);
        EXPECT_EQ(payload_from_name(expected[i]), static_cast<Payload>(i));
    }
    for (auto type = Payload::all; type < Payload::count;
         type = static_cast<Payload>(static_cast<int>(type) + 1))
        EXPECT_EQ(payload_from_name(name(type)), type) << name(type);
}

TEST(Names, AreCaseSensitiveAndExact) {
    for (const char* bad : {"", "HTTP", "http ", " http", "httpx", "count"})
        EXPECT_FALSE(l7_from_name(bad)) << bad;
    for (const char* bad : {"", "TLS_client_hello", "tls", "stun "})
        EXPECT_FALSE(payload_from_name(bad)) << bad;
    EXPECT_EQ(name(L7::count), "");
    EXPECT_EQ(name(Payload::count), "");
}

TEST(FilterSet, EmptyMatchesEverything) {
    for (unsigned i = 0; i < static_cast<unsigned>(Payload::count); ++i)
        EXPECT_TRUE(PayloadSet{}.matches(static_cast<Payload>(i)));
}

TEST(FilterSet, KnownCoversAllThatFollow) {
    const auto payloads = *parse_payload_set("known");
    EXPECT_FALSE(payloads.matches(Payload::unknown));
    EXPECT_FALSE(payloads.matches(Payload::empty));
    for (unsigned i = 4; i < static_cast<unsigned>(Payload::count); ++i)
        EXPECT_TRUE(payloads.matches(static_cast<Payload>(i))) << i;
    const auto flows = *parse_l7_set("known");
    EXPECT_FALSE(flows.matches(L7::unknown));
    for (unsigned i = 3; i < static_cast<unsigned>(L7::count); ++i)
        EXPECT_TRUE(flows.matches(static_cast<L7>(i))) << i;
    const auto both = *parse_l7_set("known,unknown");
    EXPECT_TRUE(both.matches(L7::unknown));
    EXPECT_TRUE(both.matches(L7::utp_bt));
}

TEST(FilterSet, SingleNamesMatchOnlyThemselves) {
    const auto set = *parse_payload_set("empty,http_req,utp_bt_handshake");
    for (unsigned i = 1; i < static_cast<unsigned>(Payload::count); ++i) {
        const auto p = static_cast<Payload>(i);
        const bool wanted =
            p == Payload::empty || p == Payload::http_req || p == Payload::utp_bt_handshake;
        EXPECT_EQ(set.matches(p), wanted) << name(p);
    }
}

TEST(FilterSet, AllClearsAndStopsParsing) {
    EXPECT_TRUE(parse_payload_set("http_req,all,bogus")->empty());
    EXPECT_TRUE(parse_payload_set("all,")->empty());
    EXPECT_TRUE(parse_l7_set("tls,all")->empty());
    EXPECT_FALSE(parse_payload_set("bogus,all"));
}

TEST(FilterSet, ReportsTheBadElement) {
    std::string bad = "?";
    EXPECT_FALSE(parse_payload_set("stun,bogus,dht", &bad));
    EXPECT_EQ(bad, "bogus");
    for (const char* list : {"", ",", "stun,", "stun,,dht", ",stun"}) {
        bad = "?";
        EXPECT_FALSE(parse_payload_set(list, &bad)) << list;
        EXPECT_EQ(bad, "") << list;
    }
    EXPECT_FALSE(parse_l7_set("tls, quic", &bad));
    EXPECT_EQ(bad, " quic");
}

TEST(FilterSet, TextFollowsBitOrder) {
    EXPECT_EQ(to_text(PayloadSet{}), "all");
    EXPECT_EQ(to_text(*parse_payload_set("stun,http_req,known")), "known,http_req,stun");
    EXPECT_EQ(to_text(L7Set{}), "all");
    EXPECT_EQ(to_text(*parse_l7_set("utp_bt,unknown,tls,tls")), "unknown,tls,utp_bt");
}

TEST(DisableSet, IsOffByDefaultAndEveryWithoutAValue) {
    DisableSet set;
    EXPECT_FALSE(set.contains(Payload::http_req));
    set.disable_every();
    EXPECT_TRUE(set.contains(Payload::http_req));
    EXPECT_TRUE(set.contains(Payload::unknown));

    DisableSet all;
    all.set(*parse_payload_set("all"));
    EXPECT_TRUE(all.contains(Payload::stun));

    DisableSet some;
    some.set(*parse_payload_set("quic_initial"));
    EXPECT_TRUE(some.contains(Payload::quic_initial));
    EXPECT_FALSE(some.contains(Payload::stun));
}

} // namespace
} // namespace nfqws2::protocol
