#include "nfqws2/rules/state/tcp_auth.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace nfqws2::rules {
namespace {

constexpr std::int64_t ms = 1'000'000, second = 1000 * ms;
constexpr std::int64_t start = 1'700'000'000 * second;
constexpr std::uint8_t S = tcp_flag::syn, A = tcp_flag::ack, R = tcp_flag::rst;
using Kind = AuthAnswer::Kind;

IpAddress ip(const char* text) {
    return IpAddress::parse(text).value();
}

class TcpAuthTest : public ::testing::Test {
  protected:
    AuthDecision check(const AuthPacket& packet, std::int64_t at) {
        auth.configure(1, parameters);
        return auth.check(1, parameters, packet, start + at, *random, limit);
    }
    AuthVerdict verdict(const AuthPacket& packet, std::int64_t at) {
        return check(packet, at).verdict;
    }
    void use(AuthMethod syn, AuthMethod syn_ack = AuthMethod::none) {
        parameters.syn = syn;
        parameters.syn_ack = syn_ack;
        parameters.timeout_ns = AuthParameters::default_timeout_ns(syn, syn_ack);
    }
    AuthPacket from_client(std::uint8_t flags, std::uint32_t seq = 1000, std::uint32_t ack = 0) {
        return {client, server, 40000, 443, seq, ack, flags, false};
    }
    AuthPacket from_server(std::uint8_t flags, std::uint32_t seq, std::uint32_t ack) {
        return {server, client, 443, 40000, seq, ack, flags, false};
    }

    IpAddress client = ip("10.0.0.1"), server = ip("192.0.2.10");
    TcpAuth auth{TableSetup{1000, false, 64, nullptr, SipKey{1, 2}}};
    AuthParameters parameters;
    std::unique_ptr<Random> random = make_seeded_random(1);
    AnswerLimit limit;
};

TEST_F(TcpAuthTest, SynackAuthenticatesByRst) {
    use(AuthMethod::synack);
    for (const bool v6 : {false, true}) {
        if (v6) client = ip("2001:db8::1"), server = ip("2001:db8:1::10");
        const AuthDecision asked = check(from_client(S), 0);
        EXPECT_EQ(asked.verdict, AuthVerdict::invalid);
        ASSERT_EQ(asked.answer.kind, Kind::syn_ack);
        EXPECT_EQ(asked.answer.flags, S | A);
        EXPECT_EQ(asked.answer.source, server);
        EXPECT_EQ(asked.answer.destination, client);
        EXPECT_EQ(asked.answer.source_port, 443);
        EXPECT_EQ(asked.answer.destination_port, 40000);
        EXPECT_NE(asked.answer.ack, 1001U);
        EXPECT_EQ(asked.answer.window, 0);
        EXPECT_EQ(asked.answer.mss, 0);
        EXPECT_EQ(verdict(from_client(R, asked.answer.ack + 1), ms), AuthVerdict::unchanged);
        EXPECT_EQ(verdict(from_client(S), 2 * ms), AuthVerdict::invalid);
        const AuthDecision passed = check(from_client(R, asked.answer.ack), 20 * ms);
        EXPECT_EQ(passed.verdict, AuthVerdict::invalid); // it must not reach the server
        EXPECT_EQ(passed.answer.kind, Kind::none);
        EXPECT_EQ(verdict(from_client(S), 1000 * ms), AuthVerdict::valid);
        EXPECT_EQ(verdict(from_client(A, 1001, 5), 1100 * ms), AuthVerdict::valid);
    }
    EXPECT_EQ(auth.counts(1).passed, 2U);
    EXPECT_EQ(auth.counts(1).sources, 2U);
    EXPECT_EQ(auth.counts(1).challenged, 4U);
}

TEST_F(TcpAuthTest, CookieIsGoodForTwoSlots) {
    use(AuthMethod::synack);
    const std::uint32_t cookie = check(from_client(S), 0).answer.ack;
    EXPECT_EQ(verdict(from_client(R, cookie), 11 * second), AuthVerdict::unchanged);
    EXPECT_EQ(verdict(from_client(S), 11 * second), AuthVerdict::invalid);
    AuthPacket other_port = from_client(R, cookie);
    other_port.source_port++;
    EXPECT_EQ(verdict(other_port, second), AuthVerdict::unchanged);
    EXPECT_EQ(verdict(from_client(R, cookie), 9 * second), AuthVerdict::invalid);
    EXPECT_EQ(verdict(from_client(S), 9 * second), AuthVerdict::valid);
}

TEST_F(TcpAuthTest, HandshakeAuthenticatesByAck) {
    use(AuthMethod::hs);
    const AuthDecision asked = check(from_client(S), 0);
    EXPECT_EQ(asked.verdict, AuthVerdict::invalid);
    ASSERT_EQ(asked.answer.kind, Kind::syn_ack);
    EXPECT_EQ(asked.answer.ack, 1001U);
    EXPECT_EQ(asked.answer.mss, 536);
    EXPECT_EQ(verdict(from_client(A, 1001, asked.answer.seq), ms), AuthVerdict::unchanged);
    const AuthDecision passed = check(from_client(A, 1001, asked.answer.seq + 1), ms);
    EXPECT_EQ(passed.verdict, AuthVerdict::invalid);
    ASSERT_EQ(passed.answer.kind, Kind::rst);
    EXPECT_EQ(passed.answer.seq, asked.answer.seq + 1);
    EXPECT_EQ(passed.answer.flags, R);
    EXPECT_EQ(verdict(from_client(S, 5000), second), AuthVerdict::valid);
}

TEST_F(TcpAuthTest, GreylistWantsASecondSyn) {
    use(AuthMethod::greylist);
    EXPECT_EQ(verdict(from_client(S), 0), AuthVerdict::invalid);
    EXPECT_EQ(verdict(from_client(S), 500 * ms), AuthVerdict::invalid);
    EXPECT_EQ(verdict(from_client(A), 600 * ms), AuthVerdict::invalid);
    EXPECT_EQ(verdict(from_client(A), 900 * ms), AuthVerdict::unchanged);
    EXPECT_EQ(verdict(from_client(S), second), AuthVerdict::valid);
    client = ip("10.0.0.2");
    EXPECT_EQ(verdict(from_client(S), 0), AuthVerdict::invalid);
    EXPECT_EQ(verdict(from_client(S), 400 * second), AuthVerdict::invalid);
}

TEST_F(TcpAuthTest, SynAckOfAKnownHandshakePasses) {
    use(AuthMethod::none, AuthMethod::hs);
    EXPECT_EQ(verdict(from_client(S), 0), AuthVerdict::valid);
    EXPECT_EQ(verdict(from_server(S | A, 7000, 1000), ms), AuthVerdict::invalid); // not its answer
    EXPECT_EQ(verdict(from_server(S | A, 7000, 1001), 2 * ms), AuthVerdict::valid);
    EXPECT_EQ(verdict(from_server(A, 7001, 1001), 3 * ms), AuthVerdict::valid);

    server = ip("192.0.2.20");
    const AuthDecision asked = check(from_server(S | A, 7000, 1001), 0);
    EXPECT_EQ(asked.verdict, AuthVerdict::invalid);
    ASSERT_EQ(asked.answer.kind, Kind::ack);
    EXPECT_EQ(asked.answer.flags, A);
    EXPECT_NE(asked.answer.seq, 1001U);
    EXPECT_EQ(verdict(from_server(R, asked.answer.ack, 0), ms), AuthVerdict::invalid);
    EXPECT_EQ(verdict(from_server(S | A, 7000, 1001), second), AuthVerdict::valid);

    server = ip("192.0.2.30"); // the SYN is too old
    check(from_client(S), 0);
    EXPECT_EQ(verdict(from_server(S | A, 7000, 1001), 5 * second), AuthVerdict::invalid);
}

TEST_F(TcpAuthTest, WindowBeginsWithTheLastSyn) {
    use(AuthMethod::synack);
    parameters.window_ns = 10 * second;
    const std::uint32_t cookie = check(from_client(S), 0).answer.ack;
    check(from_client(R, cookie), 0);
    EXPECT_EQ(verdict(from_client(S), 9 * second), AuthVerdict::valid);
    EXPECT_EQ(verdict(from_client(A), 15 * second), AuthVerdict::valid);
    EXPECT_EQ(verdict(from_client(S), 18 * second), AuthVerdict::valid);
    EXPECT_EQ(verdict(from_client(A), 28 * second), AuthVerdict::unchanged);
    EXPECT_EQ(verdict(from_client(S), 29 * second), AuthVerdict::invalid);
}

TEST_F(TcpAuthTest, NoneEntersNobody) {
    EXPECT_EQ(verdict(from_client(S), 0), AuthVerdict::valid);
    EXPECT_EQ(verdict(from_server(S | A, 1, 1001), 0), AuthVerdict::valid);
    EXPECT_EQ(verdict(from_client(A), 0), AuthVerdict::unchanged);
    parameters.strict = true;
    EXPECT_EQ(verdict(from_client(A), 0), AuthVerdict::invalid);
    EXPECT_EQ(verdict(from_client(R), 0), AuthVerdict::invalid);
    EXPECT_EQ(auth.table_counts().entries, 0U);
}

TEST_F(TcpAuthTest, NoAnswerWhereNoneCanHelp) {
    use(AuthMethod::synack);
    const auto answered = [&] { return check(from_client(S), 0).answer.kind != Kind::none; };
    EXPECT_TRUE(answered());
    for (const char* nobody : {"224.0.0.1", "255.255.255.255", "0.0.0.0", "192.0.2.10"}) {
        client = ip(nobody);
        EXPECT_FALSE(answered()) << nobody;
    }
    client = ip("10.0.0.1"), server = ip("239.1.1.1");
    EXPECT_FALSE(answered());
    client = ip("2001:db8::1");
    for (const char* nobody : {"ff02::1", "::", "2001:db8::1"}) {
        server = ip(nobody);
        EXPECT_FALSE(answered()) << nobody;
    }
    server = ip("2001:db8::2");
    AuthPacket fragment = from_client(S);
    fragment.fragment = true;
    EXPECT_EQ(check(fragment, 0).answer.kind, Kind::none);
    EXPECT_EQ(verdict(fragment, 0), AuthVerdict::invalid);
}

TEST_F(TcpAuthTest, AnswersAreLimitedAndFloodsCostNoMemory) {
    use(AuthMethod::synack);
    const std::size_t before = auth.table_counts().bytes;
    unsigned answers = 0;
    for (std::uint32_t n = 0; n < 150'000; n++) {
        std::array<std::uint8_t, 4> raw;
        store_be32(raw.data(), 0x0A000000 + n);
        client = IpAddress::v4(raw.data());
        const AuthDecision decision = check(from_client(S), n);
        EXPECT_EQ(decision.verdict, AuthVerdict::invalid);
        if (decision.answer.kind != Kind::none) answers++;
    }
    EXPECT_EQ(answers, 100'000U);
    EXPECT_EQ(auth.limited(), 50'000U);
    EXPECT_EQ(auth.table_counts().entries, 0U);
    EXPECT_EQ(auth.table_counts().bytes, before);
    EXPECT_NE(check(from_client(S), second).answer.kind, Kind::none);
}

TEST_F(TcpAuthTest, TablesAreBounded) {
    use(AuthMethod::greylist);
    for (std::uint32_t n = 0; n < 20'000; n++) {
        std::array<std::uint8_t, 4> raw;
        store_be32(raw.data(), 0x0A000000 + n);
        client = IpAddress::v4(raw.data());
        check(from_client(S), n);
    }
    EXPECT_LE(auth.table_counts().entries, 1000U);
    EXPECT_EQ(auth.counts(1).sources, auth.table_counts().entries);
    EXPECT_EQ(verdict(from_client(S), second), AuthVerdict::valid); // the newest is there
}

TEST_F(TcpAuthTest, IdsAndPrefixesAreSources) {
    use(AuthMethod::greylist);
    client = ip("2001:db8::1");
    check(from_client(S), 0);
    client = ip("2001:db8::2"); // the same /64
    EXPECT_EQ(verdict(from_client(S), second), AuthVerdict::valid);
    auth.configure(2, parameters);
    EXPECT_EQ(auth.check(2, parameters, from_client(S), start + second, *random, limit).verdict,
              AuthVerdict::invalid);
}

TEST(TcpAuth, WorkersShareIt) {
    TcpAuth auth{TableSetup{2000, true, 64, nullptr, SipKey{1, 2}}};
    AuthParameters parameters;
    parameters.syn = AuthMethod::greylist;
    parameters.syn_ack = AuthMethod::hs;
    auth.configure(1, parameters);
    std::vector<std::thread> workers;
    for (std::uint32_t w = 0; w < 4; w++)
        workers.emplace_back([&, w] {
            const auto random = make_seeded_random(w);
            AnswerLimit limit;
            for (std::uint32_t n = 0; n < 5000; n++) {
                std::array<std::uint8_t, 4> raw;
                store_be32(raw.data(), 0x0A000000 + n % 3000);
                AuthPacket packet{IpAddress::v4(raw.data()),
                                  IpAddress::parse("192.0.2.1").value(),
                                  1,
                                  2,
                                  3,
                                  4,
                                  n % 3 == 0 ? S : static_cast<std::uint8_t>(S | A),
                                  false};
                auth.check(1, parameters, packet, start + n * ms, *random, limit);
                if (n % 1000 == 0) auth.table_counts();
            }
        });
    for (std::thread& worker : workers)
        worker.join();
    EXPECT_LE(auth.counts(1).sources, 2064U);
}

TEST(AuthMethod, Words) {
    EXPECT_EQ(auth_method("synack"), AuthMethod::synack);
    EXPECT_EQ(auth_method("none"), AuthMethod::none);
    EXPECT_FALSE(auth_method("SYN"));
    EXPECT_EQ(AuthParameters::default_timeout_ns(AuthMethod::hs, AuthMethod::greylist), 800 * ms);
    EXPECT_EQ(AuthParameters::default_timeout_ns(AuthMethod::hs, AuthMethod::none), 5 * second);
}

} // namespace
} // namespace nfqws2::rules
