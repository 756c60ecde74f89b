// Direction and target (docs/contracts/flows.md#direction-and-target) in both modes, with and
// without a track.
#include "machine.hpp"

namespace nfqws2::engine::test {
namespace {

// Direction, target, and which of client/server the counters of the sending side are.
constexpr const char* show = R"lua(
function show(ctx, desync)
    local side = "none"
    if desync.track then
        local pos = desync.track.pos
        side = pos.direct == pos.client and pos.reverse == pos.server and "client" or
            pos.direct == pos.server and pos.reverse == pos.client and "server" or "broken"
    end
    local ip = desync.target.ip or desync.target.ip6
    tell(desync.outgoing and "out" or "in", ntop(ip), desync.target.port, side)
end
)lua";

Config showing(bool server, bool ctrack_disable = false) {
    Config config{{"--in-range=a", "--lua-desync=show"}, show, {}};
    config.options.server = server;
    config.options.ctrack_disable = ctrack_disable;
    return config;
}

TEST(Direction, FollowsTheTrackInClientMode) {
    Machine m(showing(false));
    const TcpFlow flow;
    EXPECT_EQ(m.out(flow.syn()).line(), "out 10.2.0.1 443 client");
    EXPECT_EQ(m.in(flow.syn_ack()).line(), "in 10.2.0.1 443 server");
    EXPECT_EQ(m.out(flow.ack()).line(), "out 10.2.0.1 443 client");
    // Interfaces do not matter when there is a track.
    EXPECT_EQ(m.in(flow.from_client(text("x"), 0)).line(), "out 10.2.0.1 443 client");
    EXPECT_EQ(m.out(flow.from_server(text("x"), 0)).line(), "in 10.2.0.1 443 server");
    EXPECT_EQ(m.process(flow.from_server(text("y"), 1), "lan", "wan").line(),
              "in 10.2.0.1 443 server");
}

TEST(Direction, IsInvertedByServerModeWithATrack) {
    Machine m(showing(true));
    const TcpFlow flow;
    EXPECT_EQ(m.in(flow.syn()).line(), "in 10.1.0.1 443 client");
    EXPECT_EQ(m.out(flow.syn_ack()).line(), "out 10.1.0.1 443 server");
    EXPECT_EQ(m.in(flow.from_client(text("x"), 0)).line(), "in 10.1.0.1 443 client");
    EXPECT_EQ(m.out(flow.from_server(text("x"), 0)).line(), "out 10.1.0.1 443 server");
}

TEST(Direction, OfUdpFollowsTheFirstSender) {
    Machine client(showing(false)), server(showing(true));
    const Buffer request = udp(client6, server6, "request"), reply = udp(server6, client6, "reply");
    EXPECT_EQ(client.out(request).line(), "out fd00::2 443 client");
    EXPECT_EQ(client.in(reply).line(), "in fd00::2 443 server");
    EXPECT_EQ(server.in(request).line(), "in fd00::1 443 client");
    EXPECT_EQ(server.out(reply).line(), "out fd00::1 443 server");
}

struct Guess {
    const char *ifin, *ifout;
    bool incoming;
};
constexpr Guess guesses[] = {
    {"eth0", "", true},    // PREROUTING, INPUT
    {"", "eth0", false},   // OUTPUT, POSTROUTING
    {"lan", "wan", false}, // FORWARD, both ways
    {"", "", false},
};

// A mid-stream packet from 10.1.0.1:1111 to 10.2.0.1:443.
TEST(Direction, IsGuessedFromInterfacesWithoutATrack) {
    for (const bool ctrack_disable : {false, true}) {
        Machine m(showing(false, ctrack_disable));
        const Buffer packet = TcpFlow().from_client(text("x"), 0);
        for (const Guess& guess : guesses)
            EXPECT_EQ(m.process(packet, guess.ifin, guess.ifout).line(),
                      guess.incoming ? "in 10.1.0.1 1111 none" : "out 10.2.0.1 443 none");
        EXPECT_EQ(m.engine->flows(), 0U);
    }
}

TEST(Direction, GuessIsNotInvertedByServerModeButThePortIs) {
    Machine m(showing(true, true));
    const Buffer packet = TcpFlow().from_client(text("x"), 0);
    for (const Guess& guess : guesses)
        EXPECT_EQ(m.process(packet, guess.ifin, guess.ifout).line(),
                  guess.incoming ? "in 10.1.0.1 443 none" : "out 10.2.0.1 1111 none");
}

TEST(Direction, TargetPortZeroIsAbsent) {
    Machine m(showing(false));
    EXPECT_EQ(m.out(udp(client4, Peer{"10.2.0.1", 0}, "x")).line(), "out 10.2.0.1 nil client");
    EXPECT_EQ(m.out(raw_ip(client4, server4, 99, text("x"))).line(), "out 10.2.0.1 nil none");
    EXPECT_EQ(m.in(raw_ip(server4, client4, 99, text("x"))).line(), "in 10.2.0.1 nil none");
}

TEST(Direction, DecidesWhichAddressAndPortTheFiltersSee) {
    for (const bool server : {false, true}) {
        Config config{{"--in-range=a", "--filter-tcp=443",
                       server ? "--ipset-ip=10.1.0.1" : "--ipset-ip=10.2.0.1", "--lua-desync=show"},
                      show,
                      {}};
        config.options.server = server;
        Machine m(config);
        const TcpFlow flow, elsewhere(client4, {"10.2.0.1", 444});
        EXPECT_EQ(m.out(flow.syn()).told.size(), 1U);
        EXPECT_EQ(m.in(flow.syn_ack()).told.size(), 1U);
        EXPECT_EQ(m.out(elsewhere.syn()).told.size(), 0U);
    }
}

// Direction of detection is the flow's, --server has no part in it.
TEST(Direction, OfDetectionIsTheInitiators) {
    for (const bool server : {false, true}) {
        Config config{{"--in-range=a", "--payload=http_req,http_reply", "--lua-desync=show"},
                      "function show(ctx, desync) tell(desync.l7payload, desync.outgoing) end",
                      {}};
        config.options.server = server;
        Machine m(config);
        const TcpFlow flow;
        m.open(flow);
        const std::string client_out = server ? "false" : "true",
                          server_out = server ? "true" : "false";
        EXPECT_EQ(m.out(flow.from_client(text("GET / HTTP/1.1\r\nHost: a.com\r\n\r\n"), 0)).line(),
                  "http_req " + client_out);
        EXPECT_EQ(m.in(flow.from_server(text("HTTP/1.1 200 OK\r\n\r\n"), 0)).line(),
                  "http_reply " + server_out);
        // A request from the responder is nothing known.
        EXPECT_EQ(m.in(flow.from_server(text("GET / HTTP/1.1\r\nHost: a.com\r\n\r\n"), 19)).told,
                  Lines{});
    }
}

TEST(Direction, SsidIsThatOfTheWireSide) {
    Machine m({{"--filter-ssid=home", "--in-range=a", "--lua-desync=pass"}, "", {}});
    std::vector<std::string> asked;
    Services services{&m.clock,
                      m.random.get(),
                      &m.wire,
                      &m.network,
                      m.profiles.get(),
                      &m.lists,
                      m.auto_hosts.get(),
                      [&](std::string_view name) -> std::string_view {
                          asked.emplace_back(name);
                          return "";
                      }};
    Engine engine({}, services);
    const auto feed = [&](const Buffer& packet, const char* ifin, const char* ifout) {
        asked.clear();
        capture::InputPacket input;
        input.data = packet;
        input.ifin = ifin;
        input.ifout = ifout;
        engine.on_packet(input);
        return asked;
    };
    using Names = std::vector<std::string>;
    EXPECT_EQ(feed(udp(client4, server4, "x"), "lan", "wan"), Names{"wan"});
    EXPECT_EQ(feed(udp(Peer{"10.1.0.1", 7}, server4, "x"), "", "wan"), Names{"wan"});
    EXPECT_EQ(feed(TcpFlow().from_server(text("x"), 0), "wan", ""), Names{"wan"});
    EXPECT_EQ(feed(raw_ip(client4, server4, 99, text("x")), "lan", "wan"), (Names{"lan", "wan"}));
}

} // namespace
} // namespace nfqws2::engine::test
