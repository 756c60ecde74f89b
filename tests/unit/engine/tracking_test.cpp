// What scripts see of connection tracking (docs/contracts/flows.md#counters-and-positions).
#include "machine.hpp"

namespace nfqws2::engine::test {
namespace {

namespace flag = packet::tcp_flag;

// n d b | seq rseq pos uppos uppos_prev | win calc scale mss, as in
// docs/contracts/flows.md#worked-example.
constexpr const char* show_track = R"lua(
local function side(s)
    local t = s.tcp
    return table.concat({s.pcounter, s.pdcounter, s.pbcounter, t.seq, t.rseq, t.pos, t.uppos,
        t.uppos_prev, t.winsize, t.winsize_calc, t.scale, t.mss}, " ")
end
function show(ctx, desync)
    local pos = desync.track.pos
    tell("c", side(pos.client))
    tell("s", side(pos.server))
    tell("mss", desync.tcp_mss)
end
function over(ctx, desync)
    local pos = desync.track.pos
    tell(pos.client.tcp.rseq_over_2G, pos.server.tcp.rseq_over_2G)
end
function brief(ctx, desync)
    if not desync.track then tell("no track") return end
    local pos = desync.track.pos
    tell(pos.direct.pcounter, pos.reverse.pcounter)
end
)lua";

Config with(std::vector<std::string> words, std::string lua = show_track) {
    words.insert(words.begin(), "--in-range=a");
    return {std::move(words), std::move(lua), {}};
}

Lines rows(const std::string& client, const std::string& server, const std::string& mss) {
    return {"c " + client, "s " + server, "mss " + mss};
}

TEST(Tracking, WorkedExampleRowByRow) {
    Machine m(with({"--lua-desync=show"}));
    const Peer c = client4, s = server4;
    EXPECT_EQ(m.out(tcp(c, s, {1000, 0, flag::syn, 64240, 1460, 7})).told,
              rows("1 0 0 1000 0 0 0 0 64240 64240 7 1460", "0 0 0 0 0 0 0 0 0 0 0 0", "1220"));
    EXPECT_EQ(m.in(tcp(s, c, {5000, 1001, flag::syn | flag::ack, 65535, 1400, 8})).told,
              rows("1 0 0 1001 1 1 0 0 64240 64240 7 1460", "1 0 0 5000 0 0 0 0 65535 65535 8 1400",
                   "1400"));
    EXPECT_EQ(m.out(tcp(c, s, {1001, 5001, flag::ack, 502})).told,
              rows("2 0 0 1001 1 1 0 0 502 64256 7 1460", "1 0 0 5001 1 1 0 0 65535 65535 8 1400",
                   "1400"));
    const Buffer hundred = tcp(c, s, {1001, 5001, flag::ack, 502}, Buffer(100, 'a'));
    EXPECT_EQ(m.out(hundred).told[0], "c 3 1 100 1001 1 101 101 0 502 64256 7 1460");
    EXPECT_EQ(m.out(hundred).told[0], "c 4 2 200 1001 1 101 101 101 502 64256 7 1460");
    EXPECT_EQ(m.out(tcp(c, s, {1101, 5001, flag::ack, 502}, Buffer(10, 'b'))).told[0],
              "c 5 3 210 1101 101 111 111 101 502 64256 7 1460");
    EXPECT_EQ(m.in(tcp(s, c, {5001, 1111, flag::ack, 300}, Buffer(50, 'c'))).told,
              rows("5 3 210 1111 111 111 111 101 502 64256 7 1460",
                   "2 1 50 5001 1 51 51 0 300 76800 8 1400", "1400"));
    EXPECT_EQ(m.out(tcp(c, s, {1110, 5051, flag::ack, 502})).told,
              rows("6 3 210 1110 110 110 111 101 502 64256 7 1460",
                   "2 1 50 5051 51 51 51 0 300 76800 8 1400", "1400"));
    // Deliberately better: a reset without the ACK flag says nothing about the client's position
    // (the reference shows rseq 4294966296 and rseq_over_2G).
    EXPECT_EQ(m.in(tcp(s, c, {5051, 0, flag::rst, 0})).told,
              rows("6 3 210 1110 110 110 111 101 502 64256 7 1460",
                   "3 1 50 5051 51 51 51 0 0 0 8 1400", "1400"));
    // Deliberately better: the SYN that starts over is counted (the reference shows 0).
    EXPECT_EQ(m.out(tcp(c, s, {9000, 0, flag::syn, 64240, 1460})).told,
              rows("1 0 0 9000 0 0 0 0 64240 64240 0 1460", "0 0 0 0 0 0 0 0 0 0 0 0", "1220"));
    // Deliberately better: the server's uppos is its seq0 when no SYN+ACK was seen.
    EXPECT_EQ(m.out(tcp(c, s, {9001, 7001, flag::ack, 502})).told,
              rows("2 0 0 9001 1 1 0 0 502 502 0 1460", "0 0 0 7001 1 1 0 0 0 0 0 0", "1220"));
}

TEST(Tracking, ResetDoesNotJumpPositions) {
    Machine m(with({"--lua-desync=over"}));
    const TcpFlow flow;
    m.open(flow);
    EXPECT_EQ(m.in(tcp(server4, client4, {5001, 0, flag::rst})).line(), "false false");
}

TEST(Tracking, MssIsTheSmallerOneOnceBothAreKnown) {
    Machine m(with({"--lua-desync=f"}, "function f(ctx, d) tell(d.tcp_mss) DEFAULT_MSS = 900 end"));
    EXPECT_EQ(m.out(tcp(client4, server4, {1, 0, flag::syn, 100, 1300})).line(), "1220");
    EXPECT_EQ(m.in(tcp(server4, client4, {9, 2, flag::syn | flag::ack, 100, 1200})).line(), "1200");
    // No track: the current value of the global.
    EXPECT_EQ(m.in(tcp(server4, Peer{"10.1.0.9", 1}, {1, 1, flag::ack})).line(), "900");
}

struct Creation {
    std::uint8_t flags;
    bool tracked, reverse;
};
constexpr Creation creations[] = {
    {flag::syn, true, false},
    {flag::syn | flag::ece | flag::cwr, true, false},
    {flag::syn | flag::ack, true, true},
    {flag::syn | flag::ack | flag::ece, true, true},
    {flag::ack, false, false},
    {flag::psh | flag::ack, false, false},
    {flag::rst, false, false},
    {flag::syn | flag::fin, false, false},
    {flag::syn | flag::rst, false, false},
    {flag::syn | flag::psh, false, false},
    {flag::syn | flag::urg, false, false},
    {flag::syn | flag::ack | flag::fin, false, false},
    {flag::syn | flag::ack | flag::rst, false, false},
    {flag::syn | flag::ack | flag::psh, false, false},
    {0, false, false},
};

TEST(Tracking, TracksBeginWithHandshakesAndAnyUdp) {
    for (const Creation& c : creations) {
        Machine m(with({"--lua-desync=f"}, R"lua(
            function f(ctx, d) tell(d.track ~= nil, d.outgoing) end)lua"));
        EXPECT_EQ(m.out(tcp(client4, server4, {1, 2, c.flags})).line(),
                  c.tracked ? (c.reverse ? "true false" : "true true") : "false true")
            << unsigned{c.flags};
        EXPECT_EQ(m.engine->flows(), c.tracked ? 1U : 0U);
    }
    Machine m(with({"--lua-desync=brief"}));
    EXPECT_EQ(m.in(udp(server4, client4, "")).line(), "1 0"); // the first sender is the client
    const Buffer whole = udp(client4, server4, std::string(100, 'x'));
    EXPECT_EQ(m.out(first_fragment(whole, 64)).line(), "no track");
    EXPECT_EQ(m.out(icmp(client4, server4, 8, 0, text("ping"))).line(), "no track");
    EXPECT_EQ(m.engine->flows(), 1U);
}

TEST(Tracking, MarkedPacketsAreNeitherTrackedNorShown) {
    Machine m(with({"--lua-desync=drop"}));
    const TcpFlow flow;
    for (const std::uint32_t mark : {0x40000000U, 0xFFFFFFFFU, 0x40000001U})
        EXPECT_TRUE(m.process(flow.syn(), "", "eth0", mark).accepted());
    EXPECT_EQ(m.engine->flows(), 0U);
    EXPECT_EQ(m.engine->counters().ignored, 3U);
    EXPECT_FALSE(m.process(flow.syn(), "", "eth0", 0xBFFFFFFF).accepted());

    Config config = with({"--lua-desync=drop"});
    config.options.desync_fwmark = 0x30;
    Machine two_bits(config);
    EXPECT_TRUE(two_bits.process(flow.syn(), "", "eth0", 0x10).accepted()); // any common bit
    EXPECT_EQ(two_bits.engine->flows(), 0U);
}

TEST(Tracking, AnythingThatIsNotIpPasses) {
    Machine m(with({"--lua-desync=drop"}));
    for (const Buffer& junk : {Buffer{}, Buffer{0x45}, Buffer(40, 0x33), Buffer(19, 0x45)})
        EXPECT_TRUE(m.out(junk).accepted());
}

// A SYN over a live flow: everything is new.
TEST(Tracking, SynStartsOver) {
    Machine m(with({"--lua-desync=f"}, R"lua(
        function f(ctx, d)
            local state = d.track.lua_state
            tell(state.seen, d.track.hostname, d.track.l7proto, d.track.lua_in_cutoff,
                d.track.pos.client.pcounter, d.track.incoming_ttl)
            state.seen = true
            if #d.dis.payload > 0 then lua_cutoff(ctx, false) end
        end
    )lua"));
    const TcpFlow flow;
    EXPECT_EQ(m.out(flow.syn()).line(), "nil nil unknown false 1 nil");
    EXPECT_EQ(m.in(flow.syn_ack()).line(), "true nil unknown false 1 57");
    m.out(flow.ack());
    EXPECT_EQ(m.out(flow.from_client(text("GET / HTTP/1.1\r\nHost: a.com\r\n\r\n"), 0)).line(),
              "true a.com http false 3 57");
    EXPECT_EQ(m.out(flow.from_client(text("x"), 100)).line(), "true a.com http true 4 57");
    // The TTL is that of the cache, everything else is new.
    EXPECT_EQ(m.out(flow.syn()).line(), "nil nil unknown false 1 57");
}

TEST(Tracking, IdleFlowsEndByState) {
    Config config = with({"--lua-desync=brief"});
    config.options.ctrack.timeout_syn = 20;
    config.options.ctrack.timeout_established = 60;
    config.options.ctrack.timeout_fin = 30;
    config.options.ctrack.timeout_udp = 10;
    Machine m(config);
    const TcpFlow half({"10.1.0.1", 1}), live({"10.1.0.1", 2}), ended({"10.1.0.1", 3});
    m.out(half.syn());
    m.open(live);
    m.open(ended);
    m.out(ended.from_client({}, 0, flag::fin | flag::ack));
    m.out(udp(client4, server4, "x"));
    const auto alive_after = [&](double seconds) {
        m.wait(seconds);
        return m.engine->flows();
    };
    EXPECT_EQ(alive_after(0), 4U);
    EXPECT_EQ(alive_after(11), 3U);                                 // UDP
    EXPECT_EQ(alive_after(10), 2U);                                 // SYN
    EXPECT_EQ(alive_after(10), 1U);                                 // FIN
    EXPECT_EQ(m.out(live.from_client(text("x"), 0)).line(), "3 1"); // stays
    EXPECT_EQ(alive_after(59), 1U);
    EXPECT_EQ(alive_after(2), 0U);
    EXPECT_EQ(m.out(live.from_client(text("x"), 0)).line(), "no track");
}

// Packets of other flows are enough for expiry: a capture file or a busy queue has no idle turns.
TEST(Tracking, IdleFlowsEndUnderTrafficToo) {
    Config config = with({"--lua-desync=brief"});
    config.options.ctrack.timeout_established = 30;
    Machine m(config);
    const TcpFlow idle({"10.1.0.1", 1});
    m.open(idle);
    for (int i = 0; i < 20; i++) {
        m.advance(3);
        m.out(udp(client4, server4, "x"));
    }
    EXPECT_EQ(m.engine->flows(), 1U);
    EXPECT_EQ(m.out(idle.from_client(text("x"), 0)).line(), "no track");
}

TEST(Tracking, WithoutConntrackEveryPacketStandsAlone) {
    Config config = with({"--payload=all", "--out-range=n2-", "--lua-desync=brief", "--out-range=a",
                          "--lua-desync=f"},
                         std::string(show_track) + R"lua(
        function f(ctx, d)
            instance_cutoff(ctx)
            lua_cutoff(ctx)
            tell(d.l7payload, d.l7proto, d.track, conntrack_feed(17))
        end)lua");
    config.options.ctrack_disable = true;
    Machine m(config);
    const TcpFlow flow;
    const Buffer request = flow.from_client(text("GET / HTTP/1.1\r\nHost: a.com\r\n\r\n"), 0);
    for (int i = 0; i < 3; i++)
        EXPECT_EQ(m.out(request).line(), "http_req http nil nil nil");
    EXPECT_EQ(m.out(flow.from_client(text("x"), 0)).line(), "unknown unknown nil nil nil");
    EXPECT_EQ(m.engine->flows(), 0U);
    EXPECT_EQ(m.engine->held(), 0U);
}

constexpr const char* feeding = R"lua(
function feed(packet, ...)
    local track, outgoing = conntrack_feed(packet, ...)
    if not track then return tostring(track) .. " " .. tostring(outgoing) end
    return track.pos.client.pcounter .. "/" .. track.pos.server.pcounter .. " " ..
        tostring(outgoing) .. " " .. (track.pos.direct == track.pos.client and "client" or "server")
end
function f(ctx, d)
    local raw = raw_packet(ctx)
    if packets then
        for _, p in ipairs(packets) do tell(feed(p)) end
    end
end
)lua";

TEST(ConntrackFeed, CountsAndTellsTheDirection) {
    for (const bool server : {false, true}) {
        const TcpFlow flow({"10.9.0.1", 9});
        std::string list = "packets = {";
        for (const Buffer& packet :
             {flow.syn(), flow.syn_ack(), flow.from_client(text("abc"), 0),
              flow.from_server(text("abc"), 0), TcpFlow({"10.9.0.2", 9}).ack(),
              icmp(client4, server4, 8, 0, {}), first_fragment(flow.syn(), 8), Buffer{1, 2, 3}})
            list += lua_bytes(packet) + ",";
        Config config = with({"--lua-desync=f"}, feeding + list + "}");
        config.options.server = server;
        Machine m(config);
        // Under --server the two sides change places, as in the reference.
        const std::string own = server ? "server" : "client", other = server ? "client" : "server";
        EXPECT_EQ(m.out(udp(client4, server4, "go")).told,
                  (Lines{"1/0 true " + own, "1/1 false " + other, "2/1 true " + own,
                         "2/2 false " + other, "nil nil", "nil nil", "nil nil", "nil nil"}));
        EXPECT_EQ(m.engine->flows(), 2U);
    }
}

TEST(ConntrackFeed, OfTheCurrentPacketCountsItTwice) {
    Machine m(with({"--lua-desync=f"}, R"lua(
        function f(ctx, d)
            local track = conntrack_feed(raw_packet(ctx))
            tell(track.pos.client.pcounter, d.track.pos.client.pcounter,
                track.lua_state == d.track.lua_state)
        end)lua"));
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "2 1 true");
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "4 3 true");
}

// The script ends the very flow it is called for; it must stay usable until the call is over.
TEST(ConntrackFeed, MayStartTheCurrentFlowOver) {
    const TcpFlow flow;
    Machine m(with({"--lua-desync=f:a=%target:b=%track", "--lua-desync=g"},
                   "syn = " + lua_bytes(flow.syn()) + R"lua(
        function f(ctx, d)
            if #d.dis.payload == 0 then return end
            conntrack_feed(syn)
            conntrack_feed(raw_packet(ctx))
            conntrack_feed(syn)
            instance_cutoff(ctx)
            lua_cutoff(ctx, true)
            d.track.lua_state.x = 1
            tell("f", d.track.pos.client.pcounter)
        end
        function g(ctx, d)
            if #d.dis.payload == 0 then return end
            local track = conntrack_feed(raw_packet(ctx))
            tell("g", track.pos.client.pcounter, track.lua_state.x)
        end)lua"));
    m.open(flow);
    EXPECT_EQ(m.out(flow.from_client(text("x"), 0)).told, (Lines{"f 3", "g 2 nil"}));
    EXPECT_EQ(m.engine->flows(), 1U);
}

// An ICMP error refers to a flow that is idle beyond its time-out; the feed expires it.
TEST(ConntrackFeed, MayExpireTheFlowAnIcmpErrorRefersTo) {
    const Buffer datagram = udp(client4, server4, "x");
    Machine m(with({"--lua-desync=f"}, "other = " + lua_bytes(udp(client6, server6, "y")) + R"lua(
        function f(ctx, d)
            if d.dis.icmp then conntrack_feed(other) end
            lua_cutoff(ctx, true)
            instance_cutoff(ctx)
            tell(d.track ~= nil)
        end)lua"));
    m.out(datagram);
    m.advance(3600);
    EXPECT_EQ(m.in(icmp(server4, client4, 3, 3, datagram)).told.size(), 0U); // cut off both ways
    Machine fresh(
        with({"--lua-desync=f"}, "other = " + lua_bytes(udp(client6, server6, "y")) + R"lua(
        function f(ctx, d)
            if not d.dis.icmp then return end
            conntrack_feed(other)
            lua_cutoff(ctx)
            instance_cutoff(ctx)
            tell(d.track.pos.client.pcounter)
        end)lua"));
    fresh.out(datagram);
    fresh.advance(3600);
    EXPECT_EQ(fresh.in(icmp(server4, client4, 3, 3, datagram)).line(), "1");
    fresh.wait(2);
    EXPECT_EQ(fresh.engine->flows(), 1U); // only the one that was fed
}

} // namespace
} // namespace nfqws2::engine::test
