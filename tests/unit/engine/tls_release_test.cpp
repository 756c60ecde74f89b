// How held TCP segments leave, replayed or released, and what the joined hello changes
// (docs/contracts/reassembly.md#release).
#include "tls_client.hpp"

#include <functional>

namespace nfqws2::engine::test {
namespace {

// --- how held packets leave

TEST(TlsRelease, VerdictsOfPieces) {
    Client c(showing({"--lua-desync=f"}, R"lua(
        function f(ctx, d)
            if not d.replay then return end
            if d.replay_piece == 1 then return VERDICT_DROP end
            if d.replay_piece == 2 then d.dis.payload = "changed" return VERDICT_MODIFY end
            if d.replay_piece == 3 then error("oops") end
        end)lua"));
    c.part(0, 300);
    c.part(300, 600);
    c.part(600, 900);
    ErrorText errors;
    const Outcome last = c.part(900, 1115);
    EXPECT_TRUE(last.dropped());
    ASSERT_EQ(last.sent.size(), 3U); // the first one is gone, without a substitute
    EXPECT_EQ(as_text(Bytes(last.sent[0].data).subspan(40)), "changed");
    EXPECT_EQ(last.sent[0].mark, Machine::mark);
    EXPECT_EQ(last.sent[1].data, c.packet(600, 900));
    EXPECT_EQ(last.sent[2].data, c.packet(900, 1115));
}

// A hello in the flow's first packet of the client: replayed pieces get no substitute.
TEST(TlsRelease, DroppedFirstPieceIsAReal) {
    Machine m(showing({"--lua-desync=drop"}));
    const TcpFlow flow;
    const Buffer record = hello_record(1115, "a.com");
    m.in(flow.syn_ack());
    EXPECT_TRUE(m.out(flow.from_client(Bytes(record).first(700), 0)).dropped());
    const Outcome last = m.out(flow.from_client(Bytes(record).subspan(700), 700));
    EXPECT_TRUE(last.dropped());
    EXPECT_EQ(last.sent, std::vector<Sent>{});
}

TEST(TlsRelease, MarkAndInterfaceAreThoseOfTheOriginal) {
    Client c(
        showing({"--lua-desync=f"},
                "function f(ctx, d) if d.replay then tell(d.fwmark, d.ifin, d.ifout) end end"));
    c.machine.process(c.packet(0, 700), "lan", "wan0", 0x11);
    const Outcome last = c.machine.process(c.packet(700, 1115), "", "wan1", 0x22);
    EXPECT_EQ(last.told, (Lines{"17 lan wan0", "34 nil wan1"}));
    EXPECT_EQ(last.sent, (std::vector<Sent>{{c.packet(0, 700), 0x40000011, "wan0"},
                                            {c.packet(700, 1115), 0x40000022, "wan1"}}));
    Client released(showing());
    released.machine.process(released.packet(0, 700), "lan", "wan0", 0x11);
    EXPECT_EQ(released.machine.wait(2).sent,
              (std::vector<Sent>{{released.packet(0, 700), 0x40000011, "wan0"}}));
}

TEST(TlsRelease, BytesBehindTheIpLengthAreNotHeld) {
    Client c(showing());
    c.machine.out(joined(c.packet(0, 700), text("trailer")));
    EXPECT_EQ(c.machine.wait(2).sent[0].data, c.packet(0, 700));
}

TEST(TlsRelease, TimeoutReleasesUnmodified) {
    Client c(showing());
    c.part(0, 400);
    EXPECT_EQ(c.machine.engine->next_wakeup_ms(), 1500);
    EXPECT_EQ(c.machine.wait(1.4).sent, std::vector<Sent>{});
    c.part(400, 800); // time starts anew
    EXPECT_EQ(c.machine.wait(1.4).sent, std::vector<Sent>{});
    EXPECT_EQ(c.machine.engine->next_wakeup_ms(), 100);
    const Outcome due = c.machine.wait(0.1);
    EXPECT_EQ(due.sent, as_sent({c.packet(0, 400), c.packet(400, 800)}));
    EXPECT_EQ(due.told, none);
    // The flow stays usable; what comes late is still the rest of a hello.
    EXPECT_EQ(c.part(800, 1115).line(),
              "tls_client_hello live off 0 reasm 315 payload 315 www.example.com n5 s801");
    const Buffer request = text("GET / HTTP/1.1\r\nHost: other.com\r\n\r\n");
    EXPECT_EQ(c.machine.out(c.flow.from_client(request, 1115)).line().substr(0, 13),
              "http_req live");
}

// Retransmissions as Linux sends them: copies are no news, so the first byte leaves in time.
TEST(TlsRelease, CopiesDoNotProlong) {
    Client c(showing());
    c.part(0, 400);
    for (const double after : {0.25, 0.45, 0.7}) {
        EXPECT_EQ(c.machine.wait(after).sent, std::vector<Sent>{});
        expect_held(c.part(0, 400));
    }
    EXPECT_EQ(c.machine.engine->next_wakeup_ms(), 100);
    EXPECT_EQ(c.machine.wait(0.1).sent, as_sent({c.packet(0, 400)}));
}

TEST(TlsRelease, FewBytesDoNotProlongUnlessTheyComplete) {
    Client few(showing()), enough(showing());
    few.part(0, 400);
    enough.part(0, 400);
    few.machine.wait(1);
    enough.machine.wait(1);
    few.part(400, 463);
    enough.part(400, 464);
    EXPECT_EQ(few.machine.engine->next_wakeup_ms(), 500);
    EXPECT_EQ(enough.machine.engine->next_wakeup_ms(), 1500);
    few.part(463, 1100);
    few.machine.wait(1.4);
    EXPECT_EQ(few.part(1100, 1115).told.size(), 4U);
}

TEST(TlsRelease, NeverLaterThanAfterFourAndAHalfSeconds) {
    Client c(showing());
    std::vector<Buffer> all;
    for (std::size_t at = 0; at < 500; at += 100) {
        all.push_back(c.packet(at, at + 100));
        expect_held(c.part(at, at + 100));
        EXPECT_EQ(c.machine.wait(at == 400 ? 0.49 : 1).sent, std::vector<Sent>{});
    }
    EXPECT_EQ(c.machine.wait(0.01).sent, as_sent(all));
}

// The loop is late, nothing has left yet: what completes the message is not.
TEST(TlsRelease, OverdueMessageMayStillBeCompleted) {
    Client c(showing());
    c.part(0, 400);
    c.machine.advance(20);
    EXPECT_EQ(c.part(400, 1115).told.size(), 2U);
}

TEST(TlsRelease, WhatHasLeftInPartPasses) {
    Client c(showing());
    c.part(0, 400);
    c.machine.wait(1.5);
    EXPECT_EQ(c.part(300, 1115).line().substr(0, 12), "unknown live");
    Client answered(showing());
    answered.part(0, 400);
    answered.machine.wait(1.5);
    answered.machine.in(answered.flow.from_server(text("alert"), 0));
    EXPECT_EQ(answered.part(400, 1115).line().substr(0, 12), "unknown live");
}

// --- a hello that is repeated after its replay

// Alone a repeated segment would show what was hidden: all of it is replayed, once a burst.
TEST(TlsRelease, RepeatedSegmentReplaysTheHello) {
    Client c(showing());
    c.part(0, 400);
    c.part(400, 1115);
    using Part = std::pair<std::size_t, std::size_t>;
    for (const auto& [from, to] : {Part{400, 1115}, Part{0, 400}, Part{100, 200}}) {
        c.machine.wait(0.3);
        const Outcome repeated = c.part(from, to);
        EXPECT_TRUE(repeated.dropped());
        ASSERT_EQ(repeated.told.size(), 2U);
        EXPECT_EQ(repeated.told[0].substr(0, 40), "tls_client_hello 1/2 off 0 reasm 1115 pa");
        EXPECT_EQ(repeated.sent, as_sent({c.packet(0, 400), c.packet(400, 1115)}));
        expect_held(c.part(0, 400)); // of the same burst
    }
    EXPECT_EQ(c.machine.engine->held(), 0U);
}

// A sender that goes on and on does not run the scripts for ever.
TEST(TlsRelease, RepetitionsAreBounded) {
    Client c(showing());
    c.part(0, 400);
    c.part(400, 1115);
    for (int i = 0; i < 16; i++) {
        c.machine.wait(0.3);
        EXPECT_EQ(c.part(400, 1115).told.size(), 2U) << i;
    }
    c.machine.wait(0.3);
    const Outcome last = c.part(400, 1115);
    EXPECT_TRUE(last.accepted());
    EXPECT_EQ(last.line().substr(0, 12), "unknown live");
}

// What counts retransmissions counts one for each, however many pieces there are.
TEST(TlsRelease, RepeatedHelloIsARetransmissionForScripts) {
    Client c(showing({"--lua-desync=f"}, R"lua(
        function f(ctx, d)
            local t = d.track.pos.client.tcp
            if d.replay then tell(t.uppos_prev >= t.pos) end
        end)lua"));
    c.part(0, 400);
    EXPECT_EQ(c.part(400, 1115).told, (Lines{"false", "false"}));
    c.machine.wait(0.3);
    EXPECT_EQ(c.part(400, 1115).told, (Lines{"true", "false"}));
}

TEST(TlsRelease, HelloIsForgottenWhenItIsAnswered) {
    const auto line_after = [](const std::function<void(Client&)>& event) {
        Client c(showing());
        c.part(0, 400);
        c.part(400, 1115);
        c.machine.wait(0.3);
        event(c);
        return c.part(400, 1115).told.size();
    };
    EXPECT_EQ(line_after([](Client&) {}), 2U);
    EXPECT_EQ(line_after([](Client& c) { c.machine.in(c.flow.from_server({}, 0)); }), 2U);
    EXPECT_EQ(line_after([](Client& c) { c.machine.in(c.flow.from_server(text("x"), 0)); }), 1U);
    EXPECT_EQ(line_after([](Client& c) {
                  c.machine.in(tcp(server4, client4, {5001, 1001 + 1115, packet::tcp_flag::ack}));
              }),
              1U);
    EXPECT_EQ(line_after([](Client& c) {
                  c.machine.out(tcp(client4, server4, {2116, 5002, packet::tcp_flag::ack}));
              }),
              1U);
    EXPECT_EQ(line_after([](Client& c) { c.machine.wait(5); }), 1U);
}

// Release does not wait for an idle turn of the loop.
TEST(TlsRelease, TimeoutIsServedByOtherTraffic) {
    Client c(showing());
    c.part(0, 400);
    c.machine.advance(2);
    EXPECT_EQ(c.machine.out(udp(client6, server6, "x")).sent, as_sent({c.packet(0, 400)}));
}

TEST(TlsRelease, TimeoutCanBeSwitchedOff) {
    Config config = showing();
    config.options.ctrack.release_ms = 0;
    Client c(config);
    c.part(0, 400);
    EXPECT_EQ(c.machine.wait(100).sent, std::vector<Sent>{});
    EXPECT_EQ(c.machine.engine->held(), 1U);
    EXPECT_EQ(c.machine.wait(301).sent, as_sent({c.packet(0, 400)})) << "the flow ends";
}

TEST(TlsRelease, EndOfTheProgramReleases) {
    Client c(showing());
    c.part(0, 400);
    c.part(400, 800);
    c.machine.engine->release_held();
    EXPECT_EQ(c.machine.wire.sent, as_sent({c.packet(0, 400), c.packet(400, 800)}));
    EXPECT_EQ(c.machine.engine->held(), 0U);
}

TEST(TlsRelease, DestructionReleases) {
    Client c(showing());
    c.part(0, 400);
    c.machine.engine.reset();
    EXPECT_EQ(c.machine.wire.sent, as_sent({c.packet(0, 400)}));
}

TEST(TlsRelease, SynThatStartsOverReleases) {
    Client c(showing());
    c.part(0, 400);
    EXPECT_EQ(c.machine.out(c.flow.syn()).sent, as_sent({c.packet(0, 400)}));
    EXPECT_EQ(c.machine.engine->held(), 0U);
}

TEST(TlsRelease, EvictionReleases) {
    Config config = showing();
    config.options.ctrack.max_tracks = 1;
    Client c(config);
    c.part(0, 400);
    EXPECT_EQ(c.machine.out(udp(client6, server6, "x")).sent, as_sent({c.packet(0, 400)}));
}

// --- what the joined hello changes

TEST(TlsRelease, ProfileChangesBeforeTheFirstPiece) {
    Client c({{"--filter-l7=tls", "--hostlist-domains=example.com", "--lua-desync=show", "--new",
               "--in-range=a", "--lua-desync=old"},
              show + std::string("function old(ctx, d) tell('old', #d.dis.payload) end"),
              {}});
    expect_held(c.part(0, 700));
    EXPECT_EQ(
        c.part(700, 1115).told,
        (Lines{"tls_client_hello 1/2 off 0 reasm 1115 payload 700 www.example.com n3 s1",
               "tls_client_hello 2/2! off 700 reasm 1115 payload 415 www.example.com n4 s701"}));
    c.machine.in(c.flow.from_server(text("x"), 0));
    EXPECT_EQ(c.part(0, 700).line().substr(0, 21), "tls_client_hello live"); // the new one is kept
}

TEST(TlsRelease, RangesCountAsIfPiecesHadComeOneByOne) {
    Client c(showing({"--out-range=n4-n4", "--lua-desync=show", "--out-range=-d1",
                      "--lua-desync=show", "--out-range=s701-", "--lua-desync=show"}));
    c.part(0, 700);
    const Lines told = c.part(700, 1115).told;
    ASSERT_EQ(told.size(), 3U);
    EXPECT_EQ(told[0].substr(17, 3), "1/2"); // -d1
    EXPECT_EQ(told[1].substr(17, 3), "2/2"); // n4
    EXPECT_EQ(told[2].substr(17, 3), "2/2"); // s701-
}

TEST(TlsRelease, CutoffsWorkBetweenPieces) {
    Client c(showing({"--lua-desync=f"}, R"lua(
        function f(ctx, d) tell(d.replay_piece) if d.replay then instance_cutoff(ctx) end end)lua"));
    c.part(0, 300);
    c.part(300, 600);
    EXPECT_EQ(c.part(600, 1115).told, Lines{"1"});
}

TEST(TlsRelease, NegativeHostListSendsThePiecesUnmodified) {
    profile::testing::TempDir dir;
    const std::string list = dir.write("auto.txt", "other.com\n");
    Client c(showing({"--hostlist-auto=" + list, "--lua-desync=show"}));
    c.part(0, 700);
    const Outcome last = c.part(700, 1115);
    EXPECT_EQ(last.told, none);
    EXPECT_EQ(last.sent, as_sent({c.packet(0, 700), c.packet(700, 1115)}));
    // The flow stays refused.
    EXPECT_EQ(c.machine.out(c.flow.from_client(text("more"), 1115)).told, none);
}

// A packet that is refused by an earlier negative check ends a later reassembly.
TEST(TlsRelease, NegativeHostListOfTheFlowCancels) {
    profile::testing::TempDir dir;
    const std::string list = dir.write("auto.txt", "other.com\n");
    Client c(showing({"--in-range=a", "--hostlist-auto=" + list, "--lua-desync=show"}));
    const Buffer request = text("GET / HTTP/1.1\r\nHost: first.com\r\n\r\n");
    c.machine.out(c.flow.from_client(request, 0));
    const auto at = static_cast<std::uint32_t>(request.size());
    const Buffer first = c.flow.from_client(Bytes(c.record).first(700), at);
    expect_held(c.machine.out(first));
    const Outcome refused = c.machine.in(c.flow.from_server(text("x"), 0));
    EXPECT_TRUE(refused.accepted());
    EXPECT_EQ(refused.sent, as_sent({first}));
}

TEST(TlsRelease, ServerModeHoldsTheClientsHelloToo) {
    Config config{{"--in-range=a", "--lua-desync=f"},
                  "function f(ctx, d) if d.replay then tell(d.outgoing, d.replay_piece) end end",
                  {}};
    config.options.server = true;
    Client c(config);
    expect_held(c.machine.in(c.packet(0, 700)));
    EXPECT_EQ(c.machine.in(c.packet(700, 1115)).told, (Lines{"false 1", "false 2"}));
}

TEST(TlsRelease, Ipv6) {
    Client c(showing(), TcpFlow(client6, server6));
    expect_held(c.part(0, 700));
    EXPECT_EQ(c.part(700, 1115).sent, as_sent({c.packet(0, 700), c.packet(700, 1115)}));
}

TEST(TlsRelease, TwoFlowsDoNotMix) {
    Machine m(showing());
    const TcpFlow a({"10.1.0.1", 1}), b({"10.1.0.1", 2});
    m.open(a);
    m.open(b);
    const Buffer first = hello_record(600, "a.com"), second = hello_record(700, "b.com");
    expect_held(m.out(a.from_client(Bytes(first).first(300), 0)));
    expect_held(m.out(b.from_client(Bytes(second).first(300), 0)));
    EXPECT_EQ(m.out(b.from_client(Bytes(second).subspan(300), 300)).told[1],
              "tls_client_hello 2/2! off 300 reasm 700 payload 400 b.com n4 s301");
    EXPECT_EQ(m.out(a.from_client(Bytes(first).subspan(300), 300)).told[1],
              "tls_client_hello 2/2! off 300 reasm 600 payload 300 a.com n4 s301");
}

// The script starts the flow over while its pieces are replayed, and again in the next piece. What
// it then does to "its" flow must not reach the new one.
TEST(TlsRelease, FlowMayStartOverDuringTheReplay) {
    const TcpFlow flow;
    Client c(showing({"--lua-desync=f"}, "syn = " + lua_bytes(flow.syn()) + R"lua(
        function f(ctx, d)
            if not d.replay then return end
            conntrack_feed(raw_packet(ctx)) -- established
            conntrack_feed(syn)
            lua_cutoff(ctx, false)
            instance_cutoff(ctx, false)
            tell(d.replay_piece, d.track.hostname, d.track.lua_in_cutoff)
        end)lua"));
    c.part(0, 300);
    c.part(300, 600);
    c.part(600, 900);
    const Outcome last = c.part(900, 1115);
    // The old flow had its incoming direction cut off by the handshake; the new ones have not.
    EXPECT_EQ(last.told, (Lines{"1 www.example.com true", "2 www.example.com false",
                                "3 www.example.com false", "4 www.example.com false"}));
    EXPECT_EQ(last.sent.size(), 4U);
    EXPECT_EQ(c.machine.engine->flows(), 1U);
}

// A whole hello is never held.
TEST(TlsRelease, NotForACompleteRecord) {
    Client c(showing());
    EXPECT_EQ(c.part(0, 1115).line(),
              "tls_client_hello live off 0 reasm 1115 payload 1115 www.example.com n3 s1");
}

} // namespace
} // namespace nfqws2::engine::test
