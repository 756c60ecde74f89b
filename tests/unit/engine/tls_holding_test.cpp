// A ClientHello over several TCP segments: when it is held, and how it is joined
// (docs/contracts/reassembly.md#tls-over-tcp).
#include "tls_client.hpp"

#include <algorithm>

namespace nfqws2::engine::test {
namespace {

namespace flag = packet::tcp_flag;

TEST(TlsHolding, TwoSegments) {
    Client c(showing());
    expect_held(c.part(0, 700));
    EXPECT_EQ(c.machine.engine->held(), 1U);
    const Outcome last = c.part(700, 1115);
    EXPECT_TRUE(last.dropped());
    EXPECT_EQ(
        last.told,
        (Lines{"tls_client_hello 1/2 off 0 reasm 1115 payload 700 www.example.com n3 s1",
               "tls_client_hello 2/2! off 700 reasm 1115 payload 415 www.example.com n4 s701"}));
    EXPECT_EQ(last.sent, as_sent({c.packet(0, 700), c.packet(700, 1115)}));
    EXPECT_EQ(c.machine.engine->held(), 0U);
}

// The worked example: three segments, the second one repeated. Deliberately better than the
// reference: an exact copy is not sent twice.
TEST(TlsHolding, ThreeSegmentsAndARetransmission) {
    Client c(showing());
    expect_held(c.part(0, 400));
    expect_held(c.part(400, 800));
    expect_held(c.part(400, 800));
    EXPECT_EQ(c.machine.engine->held(), 2U);
    const Outcome last = c.part(800, 1115);
    EXPECT_EQ(
        last.told,
        (Lines{"tls_client_hello 1/3 off 0 reasm 1115 payload 400 www.example.com n3 s1",
               "tls_client_hello 2/3 off 400 reasm 1115 payload 400 www.example.com n4 s401",
               "tls_client_hello 3/3! off 800 reasm 1115 payload 315 www.example.com n6 s801"}));
    EXPECT_EQ(last.sent, as_sent({c.packet(0, 400), c.packet(400, 800), c.packet(800, 1115)}));
}

TEST(TlsHolding, CopiesThatAreNotExactAreKept) {
    Client c(showing());
    expect_held(c.part(0, 400));
    expect_held(c.part(100, 300)); // nothing but a part of it
    EXPECT_EQ(c.machine.engine->held(), 1U);
    Buffer other = copy_of(Bytes(c.record).first(400));
    other[399] ^= 1;
    expect_held(c.machine.out(c.flow.from_client(other, 0)));
    EXPECT_EQ(c.machine.engine->held(), 2U);
    expect_held(c.machine.out(c.flow.from_client(other, 0, flag::ack | flag::fin)));
    EXPECT_EQ(c.machine.engine->held(), 3U);
}

TEST(TlsHolding, SequenceWrap) {
    TcpFlow flow;
    flow.client_isn = 0xFFFFFF00;
    Client c(showing(), flow);
    expect_held(c.part(0, 400));
    const Outcome last = c.part(400, 1115);
    ASSERT_EQ(last.sent.size(), 2U);
    EXPECT_EQ(load_be32(&last.sent[0].data[24]), 0xFFFFFF01U);
    EXPECT_EQ(load_be32(&last.sent[1].data[24]), 145U);
    EXPECT_EQ(last.told[1],
              "tls_client_hello 2/2! off 400 reasm 1115 payload 715 www.example.com n4 s401");
}

// Deliberately better: works above 2^31 also when only the SYN+ACK was seen.
TEST(TlsHolding, HighSequenceNumbersWithoutTheSyn) {
    for (const std::uint32_t isn : {0x10000001U, 0x90000001U}) {
        Machine m(showing());
        TcpFlow flow;
        flow.client_isn = isn;
        m.in(flow.syn_ack());
        const Buffer record = hello_record(1115, "a.com");
        expect_held(m.out(flow.from_client(Bytes(record).first(500), 0)));
        EXPECT_EQ(m.out(flow.from_client(Bytes(record).subspan(500), 500)).told.size(), 2U);
    }
}

TEST(TlsHolding, OverlapTakesTheLaterBytes) {
    Client c(showing({"--lua-desync=f"}, R"lua(
        function f(ctx, d) if d.replay then tell(d.reasm_offset, d.reasm_data:sub(251, 300)) end end
    )lua"));
    expect_held(c.part(0, 300));
    Buffer second = copy_of(Bytes(c.record).subspan(250));
    std::fill_n(second.begin(), 50, 'Z');
    const Outcome last = c.machine.out(c.flow.from_client(second, 250));
    EXPECT_EQ(last.told, (Lines{"0 " + std::string(50, 'Z'), "250 " + std::string(50, 'Z')}));
}

TEST(TlsHolding, DataBeforeTheHelloIsAPieceToo) {
    Client c(showing());
    expect_held(c.part(0, 300));
    // A keep-alive probe: one byte before the hello.
    expect_held(
        c.machine.out(tcp(client4, server4, {c.flow.client_isn, 5001, flag::ack}, text("k"))));
    EXPECT_EQ(c.part(300, 1115).told.size(), 3U);
}

// Deliberately better than the reference, which gives up at a gap.
TEST(TlsHolding, SegmentsMayArriveOutOfOrder) {
    Client c(showing());
    expect_held(c.part(0, 400));
    expect_held(c.part(800, 1115));
    const Outcome last = c.part(400, 800);
    EXPECT_EQ(
        last.told,
        (Lines{"tls_client_hello 1/3 off 0 reasm 1115 payload 400 www.example.com n3 s1",
               "tls_client_hello 2/3 off 800 reasm 1115 payload 315 www.example.com n4 s801",
               "tls_client_hello 3/3! off 400 reasm 1115 payload 400 www.example.com n5 s401"}));
    EXPECT_EQ(last.sent, as_sent({c.packet(0, 400), c.packet(800, 1115), c.packet(400, 800)}));
}

TEST(TlsHolding, TooFarAheadReleasesUnmodified) {
    Client c(showing());
    expect_held(c.part(0, 400));
    const Outcome ahead = c.machine.out(c.flow.from_client(text("far"), 400 + 0x100000));
    EXPECT_TRUE(ahead.accepted());
    EXPECT_EQ(ahead.sent, as_sent({c.packet(0, 400)})) << "before the packet that caused it";
    EXPECT_EQ(ahead.told.size(), 1U);
    EXPECT_EQ(ahead.told[0].substr(0, 36), "unknown live off 0 reasm 3 payload 3");
    EXPECT_EQ(c.machine.engine->held(), 0U);
}

TEST(TlsHolding, TooOldReleasesUnmodified) {
    Client c(showing());
    c.part(0, 400);
    const std::uint32_t next = c.flow.client_isn + 401;
    expect_held(
        c.machine.out(tcp(client4, server4, {next - 0x100000, 5001, flag::ack}, text("o"))));
    const Outcome old =
        c.machine.out(tcp(client4, server4, {next - 0x100001, 5001, flag::ack}, text("o")));
    EXPECT_TRUE(old.accepted());
    EXPECT_EQ(old.sent.size(), 2U);
}

// Deliberately better than the reference: bytes behind the record are no failure.
TEST(TlsHolding, LastSegmentMayCarryMore) {
    Client c(showing());
    expect_held(c.part(0, 700));
    const Buffer more = joined(Bytes(c.record).subspan(700), text("another record"));
    const Outcome last = c.machine.out(c.flow.from_client(more, 700));
    EXPECT_EQ(last.told[1],
              "tls_client_hello 2/2! off 700 reasm 1115 payload 429 www.example.com n4 s701");
    EXPECT_EQ(last.sent[1].data, c.flow.from_client(more, 700));
}

TEST(TlsHolding, SixtyFifthPieceReleasesAll) {
    Client c(showing({"--lua-desync=f"}, R"lua(
        function f(ctx, d) tell(d.l7payload, #d.reasm_data, d.reasm_data == d.dis.payload, d.replay) end
    )lua"));
    std::vector<Buffer> sent{c.packet(0, 100)};
    expect_held(c.part(0, 100));
    for (std::size_t i = 100; i < 163; i++) {
        expect_held(c.part(i, i + 1));
        sent.push_back(c.packet(i, i + 1));
    }
    EXPECT_EQ(c.machine.engine->held(), 64U);
    const Outcome one_more = c.part(163, 164);
    EXPECT_TRUE(one_more.accepted());
    EXPECT_EQ(one_more.sent, as_sent(sent));
    EXPECT_EQ(one_more.line(), "unknown 1 true false"); // its own payload, nothing stale
    EXPECT_EQ(c.part(164, 165).line(), "unknown 1 true false");
    EXPECT_EQ(c.machine.engine->held(), 0U);
}

TEST(TlsHolding, AllPiecesOf64AreReplayed) {
    Client c(showing());
    c.part(0, 100);
    for (std::size_t i = 100; i < 162; i++)
        c.part(i, i + 1);
    EXPECT_EQ(c.part(162, 1115).told.size(), 64U);
}

TEST(TlsHolding, BudgetOfHeldBytesIsRespected) {
    Config config = showing();
    config.options.ctrack.max_held_bytes = 2000;
    Client c(config);
    expect_held(c.part(0, 400));
    expect_held(c.part(400, 500));
    Outcome outcome;
    std::size_t pieces = 2;
    for (std::size_t at = 500; at < 1100; at += 100, pieces++) {
        outcome = c.part(at, at + 100);
        if (!outcome.dropped()) break;
    }
    EXPECT_TRUE(outcome.accepted());
    EXPECT_EQ(outcome.sent.size(), pieces);
    EXPECT_EQ(c.machine.engine->held(), 0U);
    // No room at all: nothing is held, the packet goes on.
    config.options.ctrack.max_held_bytes = 10;
    Client none_at_all(config);
    EXPECT_TRUE(none_at_all.part(0, 400).accepted());
    EXPECT_TRUE(none_at_all.part(400, 1115).accepted());
}

TEST(TlsHolding, SmallServerWindowPreventsIt) {
    for (const std::uint16_t window : {std::uint16_t{1114}, std::uint16_t{1115}}) {
        Machine m(showing());
        const Buffer record = hello_record(1115, "www.example.com");
        m.out(tcp(client4, server4, {1000, 0, flag::syn}));
        m.in(tcp(server4, client4, {5000, 1001, flag::syn | flag::ack, window}));
        const Outcome first = m.out(TcpFlow().from_client(Bytes(record).first(700), 0));
        EXPECT_EQ(first.dropped(), window >= record.size());
        if (first.dropped()) continue;
        // Deliberately better: the name that is there is taken (the reference does not).
        EXPECT_EQ(first.line(),
                  "tls_client_hello live off 0 reasm 700 payload 700 www.example.com n2 s1");
        EXPECT_EQ(m.out(TcpFlow().from_client(Bytes(record).subspan(700), 700)).line(),
                  "unknown live off 0 reasm 415 payload 415 www.example.com n3 s701");
    }
}

TEST(TlsHolding, WindowIsScaled) {
    Machine m(showing());
    const Buffer record = hello_record(1115, "www.example.com");
    m.out(tcp(client4, server4, {1000, 0, flag::syn, 64000, 0, 0}));
    m.in(tcp(server4, client4, {5000, 1001, flag::syn | flag::ack, 100, 0, 7}));
    EXPECT_TRUE(m.out(TcpFlow().from_client(Bytes(record).first(700), 0)).accepted());
    m.in(tcp(server4, client4, {5001, 1001, flag::ack, 100})); // 100 << 7
    Machine scaled(showing());
    scaled.out(tcp(client4, server4, {1000, 0, flag::syn, 64000, 0, 0}));
    scaled.in(tcp(server4, client4, {5000, 1001, flag::syn | flag::ack, 100, 0, 7}));
    scaled.in(tcp(server4, client4, {5001, 1001, flag::ack, 100}));
    EXPECT_TRUE(scaled.out(TcpFlow().from_client(Bytes(record).first(700), 0)).dropped());
}

TEST(TlsHolding, LimitOf16384Bytes) {
    for (const std::size_t size : {16384U, 16385U}) {
        Client c(showing());
        c.record = hello_record(size, "www.example.com");
        if (size == 16384) {
            for (std::size_t at = 0; at < 11 * 1400; at += 1400)
                expect_held(c.part(at, at + 1400));
            const Outcome last = c.part(11 * 1400, size);
            EXPECT_EQ(last.told.size(), 12U);
            EXPECT_EQ(last.told[11], "tls_client_hello 12/12! off 15400 reasm 16384 payload 984 "
                                     "www.example.com n14 s15401");
        } else {
            EXPECT_EQ(c.part(0, 1400).line(),
                      "tls_client_hello live off 0 reasm 1400 payload 1400 www.example.com n3 s1");
            EXPECT_EQ(c.part(1400, 2800).line().substr(0, 7), "unknown");
        }
    }
}

TEST(TlsHolding, NotForRetransmissions) {
    Client c(showing());
    c.machine.out(c.flow.from_client(Buffer(2000, 'x'), 0));
    EXPECT_EQ(c.part(0, 400).line(), "tls_client_hello live off 0 reasm 400 payload 400 nil n4 s1");
}

// Deliberately better: a tail that has overtaken the head waits for it. Pieces begin with the head.
TEST(TlsHolding, TailBeforeTheHead) {
    Client c(showing());
    expect_held(c.part(400, 1115));
    const Outcome last = c.part(0, 400);
    EXPECT_EQ(
        last.told,
        (Lines{"tls_client_hello 1/2 off 0 reasm 1115 payload 400 www.example.com n4 s1",
               "tls_client_hello 2/2! off 400 reasm 1115 payload 715 www.example.com n3 s401"}));
    EXPECT_EQ(last.sent, as_sent({c.packet(0, 400), c.packet(400, 1115)}));
}

TEST(TlsHolding, TailOfSomethingElseIsReleasedBeforeItsHead) {
    Client c(showing());
    const Buffer request = text("GET / HTTP/1.1\r\nHost: a.com\r\n\r\n");
    const Buffer tail = c.flow.from_client(text("tail"), 100);
    expect_held(c.machine.out(tail));
    const Outcome head = c.machine.out(c.flow.from_client(request, 0));
    EXPECT_TRUE(head.accepted());
    EXPECT_EQ(head.line().substr(0, 13), "http_req live");
    EXPECT_EQ(head.sent, as_sent({tail}));
    // Not the first data, too far ahead, or more than data: not held.
    EXPECT_TRUE(c.machine.out(c.flow.from_client(text("later"), 5000)).accepted());
    EXPECT_TRUE(Client(showing()).part(0, 0).accepted());
    Client far(showing());
    EXPECT_TRUE(far.machine.out(far.flow.from_client(text("far"), 16384 - 2)).accepted());
    Client finished(showing());
    EXPECT_TRUE(
        finished.machine.out(finished.flow.from_client(text("end"), 9, flag::ack | flag::fin))
            .accepted());
}

TEST(TlsHolding, TailIsReleasedWithoutAHeadWhichIsStillTreated) {
    Client c(showing());
    expect_held(c.part(400, 1115));
    EXPECT_EQ(c.machine.wait(1.5).sent, as_sent({c.packet(400, 1115)}));
    EXPECT_EQ(c.part(0, 400).line(),
              "tls_client_hello live off 0 reasm 400 payload 400 www.example.com n4 s1");
}

TEST(TlsHolding, NotWithoutATrackOrWhenDisabled) {
    const Buffer record = hello_record(1115, "www.example.com");
    const Buffer first = TcpFlow().from_client(Bytes(record).first(700), 0);
    Config config =
        showing({"--lua-desync=f"}, "function f(ctx, d) tell(d.l7payload, d.replay) end");
    Machine untracked(config);
    EXPECT_EQ(untracked.out(first).line(), "tls_client_hello false");
    config.options.ctrack_disable = true;
    Machine disabled(config);
    EXPECT_EQ(disabled.out(first).line(), "tls_client_hello false");

    Config refusing = showing();
    refusing.options.reasm_disable.disable_every();
    Client c(refusing);
    EXPECT_EQ(c.part(0, 700).line(), "tls_client_hello live off 0 reasm 700 payload 700 nil n3 s1");
    EXPECT_EQ(c.part(700, 1115).line().substr(0, 12), "unknown live");
}

TEST(TlsHolding, NotForTypesThatAreNotProbed) {
    Config config = showing();
    config.options.payload_disable.disable_every();
    Client c(config);
    EXPECT_EQ(c.part(0, 700).line().substr(0, 12), "unknown live");
}

// Deliberately better: too few bytes to tell are held. Six to ten are shown as unknown, as
// recorded, but the rest is known for what it is.
TEST(TlsHolding, FirstSegmentOfAFewBytes) {
    for (const std::size_t size : {1U, 3U, 5U, 11U}) {
        Client c(showing());
        expect_held(c.part(0, size));
        EXPECT_EQ(c.part(size, 1115).told,
                  (Lines{"tls_client_hello 1/2 off 0 reasm 1115 payload " + std::to_string(size) +
                             " www.example.com n3 s1",
                         "tls_client_hello 2/2! off " + std::to_string(size) +
                             " reasm 1115 payload " + std::to_string(1115 - size) +
                             " www.example.com n4 s" + std::to_string(size + 1)}));
    }
    for (const std::size_t size : {6U, 10U}) {
        Client c(showing());
        EXPECT_EQ(c.part(0, size).line().substr(0, 12), "unknown live");
        EXPECT_EQ(c.part(0, size).line().substr(0, 12), "unknown live") << "once more";
        EXPECT_EQ(c.part(size, 1115).line().substr(0, 21), "tls_client_hello live");
    }
    Client c(showing());
    expect_held(c.part(0, 1));
    expect_held(c.part(1, 2));
    const Outcome other = c.machine.out(c.flow.from_client(text("x"), 2));
    EXPECT_TRUE(other.accepted());
    EXPECT_EQ(other.sent, as_sent({c.packet(0, 1), c.packet(1, 2)}));
    EXPECT_TRUE(c.part(3, 4).accepted()) << "not the beginning";
}

// Deliberately better: the data of a Fast Open comes again behind the handshake.
TEST(TlsHolding, DataIsTakenOffASyn) {
    for (const Peer& peer : {client4, client6}) {
        Machine m(showing());
        const Peer server = peer.address == client4.address ? server4 : server6;
        const Buffer record = hello_record(1115, "www.example.com");
        const Tcp syn{1000, 0, flag::syn, 64240, 1460};
        for (const std::size_t size : {1U, 8U, 700U, 1115U}) {
            const Outcome sent = m.out(tcp(peer, server, syn, Bytes(record).first(size)));
            EXPECT_TRUE(sent.modified());
            EXPECT_EQ(sent.data, tcp(peer, server, syn)) << size;
        }
        const TcpFlow flow(peer, server);
        m.in(flow.syn_ack());
        m.out(flow.ack());
        EXPECT_EQ(m.out(flow.from_client(record, 0)).line().substr(0, 59),
                  "tls_client_hello live off 0 reasm 1115 payload 1115 www.exa");
    }
}

TEST(TlsHolding, OtherDataInASynIsNotTouched) {
    const Buffer record = hello_record(1115, "www.example.com");
    const Buffer request =
        tcp(client4, server4, {1000, 0, flag::syn}, text("GET / HTTP/1.1\r\n\r\n"));
    const Buffer fast_open = tcp(client4, server4, {1000, 0, flag::syn}, Bytes(record).first(700));
    Machine m(showing());
    EXPECT_TRUE(m.out(request).accepted());
    Config config = showing();
    config.options.reasm_disable.disable_every();
    Machine refusing(config);
    EXPECT_TRUE(refusing.out(fast_open).accepted());
    config = showing({"--in-range=a", "--lua-desync=show"});
    config.options.server = true;
    Machine server(config);
    EXPECT_TRUE(server.in(fast_open).accepted());
}

// A hello in several records is joined over all of them; where it is cut does not matter.
TEST(TlsHolding, HelloInSeveralRecords) {
    const Buffer message = hello_message(1110, "www.example.com", true);
    for (const std::size_t cut : {7U, 300U, 1105U}) {
        Client c(showing());
        c.record = joined(builders::record(copy_of(Bytes(message).first(cut))),
                          builders::record(copy_of(Bytes(message).subspan(cut))));
        expect_held(c.part(0, cut + 5));
        const std::string at = std::to_string(cut + 5);
        EXPECT_EQ(
            c.part(cut + 5, 1120).told,
            (Lines{"tls_client_hello 1/2 off 0 reasm 1120 payload " + at + " www.example.com n3 s1",
                   "tls_client_hello 2/2! off " + at + " reasm 1120 payload " +
                       std::to_string(1115 - cut) + " www.example.com n4 s" +
                       std::to_string(cut + 6)}))
            << cut;
    }
}

TEST(TlsHolding, OtherPacketsPassMeanwhile) {
    Client c({{"--in-range=a", "--lua-desync=f"},
              "function f(ctx, d) tell(d.l7payload, d.outgoing, d.replay) end",
              {}});
    expect_held(c.part(0, 700));
    EXPECT_EQ(c.machine.out(c.flow.from_client({}, 1115)).line(), "empty true false");
    EXPECT_EQ(c.machine.in(c.flow.from_server({}, 0)).line(), "empty false false");
    EXPECT_EQ(c.machine.in(c.flow.from_server(text("early"), 0)).line(), "unknown false false");
    EXPECT_EQ(c.machine.out(c.flow.from_client({}, 0, flag::rst)).line(), "empty true false");
    EXPECT_EQ(c.machine.in(c.flow.from_server({}, 5, flag::rst)).line(), "empty false false");
    EXPECT_EQ(c.machine.engine->held(), 1U); // none of them released it
    EXPECT_EQ(c.part(700, 1115).told.size(), 2U);
}

TEST(TlsHolding, WhatFitsBelongsToTheMessage) {
    Client c(showing());
    expect_held(c.part(0, 700));
    expect_held(c.machine.out(c.flow.from_client(Buffer(100, 'x'), 700)));
    expect_held(c.machine.out(c.flow.from_client(text("GET / HTTP/1.1\r\n"), 800)));
}

} // namespace
} // namespace nfqws2::engine::test
