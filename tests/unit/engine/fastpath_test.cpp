// What leaves for the first held segment of a ClientHello with --fastpath-workaround.
#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/packet/header_walk.hpp"
#include "tls_client.hpp"

namespace nfqws2::engine::test {
namespace {

namespace flag = packet::tcp_flag;

Config with(FastpathWorkaround workaround) {
    Config config = showing();
    config.options.fastpath_workaround = workaround;
    return config;
}

void expect_bare(const Outcome& outcome, const Buffer& original) {
    ASSERT_TRUE(outcome.modified());
    EXPECT_EQ(outcome.told, none);
    EXPECT_EQ(outcome.sent, std::vector<Sent>{});
    const packet::Dissect was = packet::dissect(original), is = packet::dissect(outcome.data);
    ASSERT_EQ(is.l4, packet::L4::tcp);
    EXPECT_EQ(is.packet.size(), outcome.data.size());
    EXPECT_TRUE(is.payload.empty());
    EXPECT_EQ(is.tcp_flags(), flag::ack);
    EXPECT_EQ(is.source(), was.source());
    EXPECT_EQ(is.destination(), was.destination());
    EXPECT_EQ(is.source_port(), was.source_port());
    EXPECT_EQ(is.tcp_seq(), was.tcp_seq());
    EXPECT_EQ(is.tcp_ack(), was.tcp_ack());
    EXPECT_EQ(is.tcp_window(), was.tcp_window());
    EXPECT_EQ(to_hex(packet::tcp_options(is)), to_hex(packet::tcp_options(was)));
}

TEST(Fastpath, FirstSegmentBecomesAnAcknowledgement) {
    for (const auto& [client, server] :
         {std::pair(client4, server4), std::pair(client6, server6)}) {
        Client c(with(FastpathWorkaround::on), TcpFlow(client, server));
        expect_bare(c.part(0, 400), c.packet(0, 400));
        expect_held(c.part(400, 800));
        const Outcome last = c.part(800, 1115);
        EXPECT_TRUE(last.dropped());
        EXPECT_EQ(last.sent, as_sent({c.packet(0, 400), c.packet(400, 800), c.packet(800, 1115)}));
    }
}

TEST(Fastpath, OncePerMessage) {
    Client c(with(FastpathWorkaround::on));
    expect_bare(c.part(0, 700), c.packet(0, 700));
    expect_held(c.part(0, 700));
    EXPECT_TRUE(c.part(700, 1115).dropped());
}

// Whatever comes first is acknowledged, and the replay begins with the head.
TEST(Fastpath, TailBeforeTheHead) {
    Client c(with(FastpathWorkaround::on));
    expect_bare(c.part(400, 1115), c.packet(400, 1115));
    expect_held(c.part(400, 1115));
    const Outcome last = c.part(0, 400);
    EXPECT_TRUE(last.dropped());
    EXPECT_EQ(last.sent, as_sent({c.packet(0, 400), c.packet(400, 1115)}));
}

TEST(Fastpath, AutomaticWithTheTailBeforeTheHead) {
    Client c(with(FastpathWorkaround::automatic));
    expect_held(c.part(400, 1115));
    expect_held(c.part(400, 1115));
    expect_bare(c.part(400, 1115), c.packet(400, 1115));
    EXPECT_EQ(c.part(0, 400).sent, as_sent({c.packet(0, 400), c.packet(400, 1115)}));
}

TEST(Fastpath, NothingIsHeldForAWholeMessage) {
    Client c(with(FastpathWorkaround::on));
    EXPECT_TRUE(c.part(0, 1115).accepted());
}

TEST(Fastpath, OffByDefault) {
    EXPECT_EQ(Options().fastpath_workaround, FastpathWorkaround::off);
    Client c(with(FastpathWorkaround::off));
    for (int i = 0; i < 4; i++)
        expect_held(c.part(0, 700));
}

TEST(Fastpath, AutomaticBeginsWithTheSecondRetransmission) {
    Client c(with(FastpathWorkaround::automatic));
    expect_held(c.part(0, 700));
    expect_held(c.part(0, 700));
    expect_bare(c.part(0, 700), c.packet(0, 700));
    expect_held(c.part(0, 700));
    EXPECT_TRUE(c.part(700, 1115).dropped());
}

TEST(Fastpath, AutomaticRemembersTheServer) {
    Client c(with(FastpathWorkaround::automatic));
    for (int i = 0; i < 3; i++)
        c.part(0, 700);
    c.part(700, 1115);
    const auto first_of = [&c](const char* address, std::uint16_t port) {
        const TcpFlow flow({"10.1.0.1", port}, {address, 443});
        c.machine.open(flow);
        return c.machine.out(flow.from_client(Bytes(c.record).first(700), 0));
    };
    EXPECT_TRUE(first_of("10.2.0.1", 2222).modified());
    EXPECT_TRUE(first_of("10.2.0.2", 2222).dropped()) << "another server";
    c.machine.advance(7300);
    EXPECT_TRUE(first_of("10.2.0.1", 3333).dropped()) << "as long as the ip cache remembers";
}

} // namespace
} // namespace nfqws2::engine::test
