// ICMP errors that refer to flows, other ICMP, and raw IP
// (docs/contracts/flows.md#icmp-and-raw-ip).
#include "machine.hpp"

namespace nfqws2::engine::test {
namespace {

const Lines none{};

constexpr const char* show = R"lua(
function show(ctx, d)
    local t = d.track
    tell(d.l7payload, d.l7proto, d.outgoing and "out" or "in", ntop(d.target.ip or d.target.ip6),
        d.target.port, t and t.pos.client.pcounter .. "/" .. t.pos.server.pcounter, d.tcp_mss,
        d.reasm_data, d.dis.icmp ~= nil)
end
function a(ctx, d) tell("a") end
function b(ctx, d) tell("b") end
function c(ctx, d) tell("c") end
)lua";

Config showing(std::vector<std::string> words = {"--in-range=a", "--lua-desync=show"}) {
    return {std::move(words), show, {}};
}

const Peer router{"10.3.0.1"};

TEST(Icmp, ErrorTakesTheFlowOfTheQuotedPacket) {
    Machine m(showing());
    const TcpFlow flow;
    m.open(flow);
    m.out(flow.from_client(text("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
    // About a packet of the client: comes in.
    EXPECT_EQ(m.in(icmp(router, client4, 3, 1, flow.from_client(text("x"), 0))).line(),
              "ipv4 http in 10.3.0.1 nil 3/1 nil nil true");
    // About a packet of the server: goes out.
    EXPECT_EQ(m.out(icmp(client4, server4, 3, 1, flow.from_server(text("x"), 0))).line(),
              "ipv4 http out 10.2.0.1 nil 3/1 nil nil true");
    EXPECT_EQ(m.engine->flows(), 1U);
}

TEST(Icmp, DirectionIsInvertedByServerMode) {
    Config config = showing();
    config.options.server = true;
    Machine m(config);
    const TcpFlow flow;
    m.in(flow.syn());
    m.out(flow.syn_ack());
    EXPECT_EQ(m.out(icmp(server4, client4, 3, 1, flow.syn())).line(),
              "ipv4 unknown out 10.1.0.1 nil 1/1 nil nil true");
    EXPECT_EQ(m.in(icmp(router, server4, 3, 1, flow.syn_ack())).line(),
              "ipv4 unknown in 10.3.0.1 nil 1/1 nil nil true");
}

// Deliberately better: eight bytes of TCP are enough (the reference finds UDP only).
TEST(Icmp, ClassicEightByteQuotesFindTheFlow) {
    Machine m(showing());
    const TcpFlow flow;
    m.open(flow);
    const Buffer datagram = udp(client4, server4, "x");
    m.out(datagram);
    for (const Buffer& quoted : {flow.from_client(text("x"), 0), datagram})
        EXPECT_NE(m.in(icmp(router, client4, 11, 0, Bytes(quoted).first(28))).line().find('/'),
                  std::string::npos);
}

TEST(Icmp, SetOfTypesThatQuote) {
    Machine m(showing());
    const Buffer datagram = udp(client4, server4, "x");
    m.out(datagram);
    for (unsigned type = 0; type < 256; type++) {
        const bool quotes = type == 1 || type == 2 || type == 3 || type == 4 || type == 5 ||
                            type == 11 || type == 12;
        const std::string line =
            m.in(icmp(router, client4, static_cast<std::uint8_t>(type), 0, datagram)).line();
        EXPECT_EQ(line.substr(0, 5), quotes ? "ipv4 " : "icmp ") << type;
        EXPECT_EQ(line.find("1/0") != std::string::npos, quotes) << type;
    }
}

TEST(Icmp, Version6) {
    Machine m(showing());
    const TcpFlow flow(client6, server6);
    m.open(flow);
    EXPECT_EQ(m.in(icmp(Peer{"fd00::9"}, client6, 1, 4, flow.syn())).line(),
              "ipv6 unknown in fd00::9 nil 2/1 nil nil true");
    EXPECT_EQ(m.out(icmp(client6, server6, 128, 0, text("ping"))).line(),
              "icmp unknown out fd00::2 nil nil nil nil true");
}

TEST(Icmp, QuotesThatLeadNowhere) {
    Machine m(showing());
    const std::string lost = "ipv4 unknown in 10.3.0.1 nil nil nil nil true",
                      plain = "icmp unknown in 10.3.0.1 nil nil nil nil true";
    const Buffer unknown_flow = udp(client4, server4, "x");
    EXPECT_EQ(m.in(icmp(router, client4, 3, 1, unknown_flow)).line(), lost);
    EXPECT_EQ(m.in(icmp(router, client4, 3, 1, Bytes(unknown_flow).first(22))).line(), lost);
    EXPECT_EQ(m.in(icmp(router, client4, 3, 1, raw_ip(client4, server4, 99, {}))).line(), lost);
    EXPECT_EQ(m.in(icmp(router, client4, 3, 1, text("garbage of some length"))).line(), plain);
    EXPECT_EQ(m.in(icmp(router, client4, 3, 1, {})).line(), plain);
    EXPECT_EQ(m.engine->flows(), 0U);
}

TEST(Icmp, LyingQuotesDoNoHarm) {
    Machine m(showing());
    Buffer quoted = udp(client4, server4, "x");
    m.out(quoted);
    for (unsigned length : {0U, 10U, 19U, 20U, 65535U}) {
        store_be16(&quoted[2], static_cast<std::uint16_t>(length));
        EXPECT_EQ(m.in(icmp(router, client4, 3, 1, quoted)).line().substr(0, 5), "ipv4 ");
    }
    for (std::size_t size = 0; size <= quoted.size(); size++)
        EXPECT_EQ(m.in(icmp(router, client4, 3, 1, Bytes(quoted).first(size))).told.size(), 1U);
}

TEST(Icmp, TheFlowsProfileRunsAndItsCutoffsCount) {
    Machine m(showing({"--filter-icmp=3", "--lua-desync=a", "--new", "--filter-tcp=443",
                       "--in-range=a", "--lua-desync=b"}));
    const TcpFlow flow;
    m.open(flow);
    EXPECT_EQ(m.in(icmp(router, client4, 3, 1, flow.syn())).line(), "b");
    EXPECT_EQ(m.out(icmp(client4, server4, 3, 1, {})).line(), "a");
    Machine cut(showing({"--in-range=-n1", "--lua-desync=b"}));
    cut.open(flow);
    cut.in(flow.from_server(text("x"), 0)); // n2: beyond, the flag is set
    EXPECT_EQ(cut.in(icmp(router, client4, 3, 1, flow.syn())).told, none);
    EXPECT_EQ(cut.out(icmp(client4, server4, 3, 1, flow.syn_ack())).told, Lines{"b"});
}

TEST(Icmp, RangesUseTheCountersOfTheSendingSide) {
    // The error about a client's packet counts as one of the server.
    Machine m(showing({"--out-range=x", "--in-range=n1-n1", "--lua-desync=b"}));
    const TcpFlow flow;
    m.open(flow); // client 2, server 1
    EXPECT_EQ(m.in(icmp(router, client4, 3, 1, flow.syn())).told, Lines{"b"});
    m.in(flow.from_server(text("x"), 0));
    EXPECT_EQ(m.in(icmp(router, client4, 3, 1, flow.syn())).told, none);
}

TEST(Icmp, DoesNotTouchTheFlow) {
    Config config = showing();
    config.options.ctrack.timeout_udp = 10;
    Machine m(config);
    const Buffer datagram = udp(client4, server4, "x");
    m.out(datagram);
    m.advance(9);
    m.in(icmp(router, client4, 3, 1, datagram));
    m.wait(2);
    EXPECT_EQ(m.engine->flows(), 0U);
}

TEST(Icmp, FiltersSeeTypeCodeAndBothAddresses) {
    Machine m(showing({"--filter-icmp=8:0", "--ipset-ip=10.2.0.1", "--in-range=a", "--lua-desync=a",
                       "--new", "--filter-icmp=8", "--in-range=a", "--lua-desync=b", "--new",
                       "--in-range=a", "--lua-desync=c"}));
    EXPECT_EQ(m.out(icmp(client4, server4, 8, 0, {})).line(), "a"); // destination
    EXPECT_EQ(m.in(icmp(server4, client4, 8, 0, {})).line(), "a");  // source
    EXPECT_EQ(m.in(icmp(router, client4, 8, 0, {})).line(), "b");
    EXPECT_EQ(m.out(icmp(client4, server4, 8, 1, {})).line(), "b");
    EXPECT_EQ(m.out(icmp(client4, server4, 0, 0, {})).line(), "c");
}

TEST(Icmp, WithoutConntrackNothingIsRelated) {
    Config config = showing();
    config.options.ctrack_disable = true;
    Machine m(config);
    const Buffer datagram = udp(client4, server4, "x");
    m.out(datagram);
    EXPECT_EQ(m.in(icmp(router, client4, 3, 1, datagram)).line(),
              "ipv4 unknown in 10.3.0.1 nil nil nil nil true");
}

TEST(Icmp, CanBeModified) {
    Machine m({{"--in-range=a", "--lua-desync=f"},
               "function f(ctx, d) d.dis.icmp.icmp_code = 9 return VERDICT_MODIFY end",
               {}});
    const Outcome outcome = m.in(icmp(router, client4, 8, 0, text("data")));
    EXPECT_EQ(outcome.data, icmp(router, client4, 8, 9, text("data")));
}

// --- raw IP

TEST(RawIp, FragmentsAndOtherProtocols) {
    Machine m(showing());
    const std::string line = "unknown unknown out 10.2.0.1 nil nil nil nil false";
    const Buffer datagram = udp(client4, server4, std::string(64, 'x'));
    EXPECT_EQ(m.out(first_fragment(datagram, 40)).line(), line);
    EXPECT_EQ(m.out(raw_ip(client4, server4, 99, text("x"))).line(), line);
    EXPECT_EQ(m.out(raw_ip(client4, server4, 99, {})).line(), line);
    EXPECT_EQ(m.out(raw_ip(client4, server4, 6, Buffer(10, 0))).line(), line);
    EXPECT_EQ(m.out(raw_ip(client4, server4, 17, Buffer(7, 0))).line(), line);
    EXPECT_EQ(m.out(raw_ip(client4, server4, 1, Buffer(7, 0))).line(), line);
    EXPECT_EQ(m.in(raw_ip(server4, client4, 99, text("x"))).line(),
              "unknown unknown in 10.2.0.1 nil nil nil nil false");
    EXPECT_EQ(m.engine->flows(), 0U);
}

TEST(RawIp, FiltersOfItsProtocolWithPortZero) {
    struct {
        std::uint8_t protocol;
        const char* filter;
        bool matches;
    } const cases[] = {
        {6, "--filter-tcp=443", false},
        {6, "--filter-tcp=0-65535", false},
        {6, "--filter-tcp=~80", false},
        {17, "--filter-udp=443", false},
        {99, "--filter-ipp=99", true},
        {99, "--filter-ipp=98", false},
        {99, "--filter-tcp=443", false},
        {1, "--filter-icmp=255:255", true},
        {1, "--filter-icmp=8", false},
        {6, "--filter-l3=ipv4", true},
        {6, "--filter-l3=ipv6", false},
        {6, "--filter-l7=unknown", true},
        {6, "--filter-l7=known", false},
        {6, "--ipset-ip=10.1.0.1", true},
        {6, "--ipset-exclude-ip=10.1.0.1", false},
        {6, "--ipset-exclude-ip=10.2.0.1", false},
    };
    for (const auto& c : cases) {
        Machine m(showing({c.filter, "--lua-desync=a"}));
        EXPECT_EQ(m.out(raw_ip(client4, server4, c.protocol, Buffer(6, 0))).told.size(),
                  c.matches ? 1U : 0U)
            << c.filter << " " << unsigned{c.protocol};
    }
}

TEST(RawIp, CanBeModifiedAndDropped) {
    const Buffer packet = raw_ip(client4, server4, 99, text("data"));
    Machine m({{"--lua-desync=f"},
               "function f(ctx, d) d.dis.payload = 'else' return VERDICT_MODIFY end",
               {}});
    EXPECT_EQ(m.out(packet).data, raw_ip(client4, server4, 99, text("else")));
    Machine dropping(showing({"--lua-desync=drop"}));
    EXPECT_TRUE(dropping.out(packet).dropped());
}

} // namespace
} // namespace nfqws2::engine::test
