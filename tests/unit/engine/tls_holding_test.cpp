// A ClientHello over several TCP segments: held, joined, replayed, or released (spec part 03
// sections 6 and 7, part 04 section 5.4).
#include "hellos.hpp"
#include "machine.hpp"

namespace nfqws2::engine::test {
namespace {

namespace flag = packet::tcp_flag;

// Everything about a data packet that a replay changes.
constexpr const char* show = R"lua(
function show(ctx, d)
    if #d.dis.payload == 0 then return end
    local t = d.track.pos.client.tcp
    local piece = d.replay and d.replay_piece .. "/" .. d.replay_piece_count ..
        (d.replay_piece_last and "!" or "") or "live"
    tell(d.l7payload, piece, "off", d.reasm_offset, "reasm", #d.reasm_data, "payload",
        #d.dis.payload, d.track.hostname, "n" .. d.track.pos.client.pcounter, "s" .. t.rseq)
end
)lua";

const Lines none{};

Config showing(std::vector<std::string> words = {"--lua-desync=show"},
               const std::string& lua = {}) {
    return {std::move(words), show + lua, {}};
}

// A machine with an open flow; every packet goes out as a client's.
class Client {
  public:
    explicit Client(Config config, TcpFlow f = TcpFlow()) : machine(std::move(config)), flow(f) {
        machine.open(flow);
    }
    Buffer packet(std::size_t from, std::size_t to) const {
        return flow.from_client(Bytes(record).subspan(from, to - from),
                                static_cast<std::uint32_t>(from));
    }
    // The part [from, to) of the record.
    Outcome part(std::size_t from, std::size_t to) { return machine.out(packet(from, to)); }

    Machine machine;
    TcpFlow flow;
    Buffer record = hello_record(1115, "www.example.com", true);
};

std::vector<Sent> as_sent(const std::vector<Buffer>& packets, std::uint32_t mark = Machine::mark,
                          const char* ifout = "eth0") {
    std::vector<Sent> list;
    for (const Buffer& packet : packets)
        list.push_back({packet, mark, ifout});
    return list;
}

void expect_held(const Outcome& outcome) {
    EXPECT_TRUE(outcome.dropped()) << "a real drop, no substitute";
    EXPECT_EQ(outcome.told, none);
    EXPECT_EQ(outcome.sent, std::vector<Sent>{});
}

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

// The worked example: three segments, the second one repeated, later the first one again.
TEST(TlsHolding, ThreeSegmentsAndARetransmission) {
    Client c(showing());
    expect_held(c.part(0, 400));
    expect_held(c.part(400, 800));
    expect_held(c.part(400, 800));
    const Outcome last = c.part(800, 1115);
    EXPECT_EQ(
        last.told,
        (Lines{"tls_client_hello 1/4 off 0 reasm 1115 payload 400 www.example.com n3 s1",
               "tls_client_hello 2/4 off 400 reasm 1115 payload 400 www.example.com n4 s401",
               "tls_client_hello 3/4 off 400 reasm 1115 payload 400 www.example.com n5 s401",
               "tls_client_hello 4/4! off 800 reasm 1115 payload 315 www.example.com n6 s801"}));
    EXPECT_EQ(last.sent, as_sent({c.packet(0, 400), c.packet(400, 800), c.packet(400, 800),
                                  c.packet(800, 1115)}));
    const Outcome again = c.part(0, 400);
    EXPECT_TRUE(again.accepted());
    EXPECT_EQ(again.line(),
              "tls_client_hello live off 0 reasm 400 payload 400 www.example.com n7 s1");
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
    EXPECT_EQ(c.part(400, 1115).line().substr(0, 12), "unknown live"); // the second part first
    EXPECT_EQ(c.part(0, 400).line(), "tls_client_hello live off 0 reasm 400 payload 400 nil n4 s1");
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

TEST(TlsHolding, ElevenBytesAreNeeded) {
    Client eleven(showing()), ten(showing());
    expect_held(eleven.part(0, 11));
    EXPECT_EQ(eleven.part(11, 1115).told.size(), 2U);
    EXPECT_EQ(ten.part(0, 10).line().substr(0, 12), "unknown live");
    EXPECT_EQ(ten.part(10, 1115).line().substr(0, 12), "unknown live");
}

TEST(TlsHolding, DataInASynIsNotProbed) {
    Machine m(showing());
    const Buffer record = hello_record(1115, "www.example.com");
    const Buffer fast_open = tcp(client4, server4, {1000, 0, flag::syn}, Bytes(record).first(700));
    EXPECT_EQ(m.out(fast_open).line(), "unknown live off 0 reasm 700 payload 700 nil n1 s0");
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

// --- how held packets leave

TEST(TlsHolding, VerdictsOfPieces) {
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
TEST(TlsHolding, DroppedFirstPieceIsAReal) {
    Machine m(showing({"--lua-desync=drop"}));
    const TcpFlow flow;
    const Buffer record = hello_record(1115, "a.com");
    m.in(flow.syn_ack());
    EXPECT_TRUE(m.out(flow.from_client(Bytes(record).first(700), 0)).dropped());
    const Outcome last = m.out(flow.from_client(Bytes(record).subspan(700), 700));
    EXPECT_TRUE(last.dropped());
    EXPECT_EQ(last.sent, std::vector<Sent>{});
}

TEST(TlsHolding, MarkAndInterfaceAreThoseOfTheOriginal) {
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

TEST(TlsHolding, BytesBehindTheIpLengthAreNotHeld) {
    Client c(showing());
    c.machine.out(joined(c.packet(0, 700), text("trailer")));
    EXPECT_EQ(c.machine.wait(2).sent[0].data, c.packet(0, 700));
}

TEST(TlsHolding, TimeoutReleasesUnmodified) {
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
    // The flow stays usable; what comes late is nothing known.
    EXPECT_EQ(c.part(800, 1115).line(), "unknown live off 0 reasm 315 payload 315 nil n5 s801");
    const Buffer request = text("GET / HTTP/1.1\r\nHost: other.com\r\n\r\n");
    EXPECT_EQ(c.machine.out(c.flow.from_client(request, 1115)).line().substr(0, 13),
              "http_req live");
}

// Release does not wait for an idle turn of the loop.
TEST(TlsHolding, TimeoutIsServedByOtherTraffic) {
    Client c(showing());
    c.part(0, 400);
    c.machine.advance(2);
    EXPECT_EQ(c.machine.out(udp(client6, server6, "x")).sent, as_sent({c.packet(0, 400)}));
}

TEST(TlsHolding, TimeoutCanBeSwitchedOff) {
    Config config = showing();
    config.options.ctrack.release_ms = 0;
    Client c(config);
    c.part(0, 400);
    EXPECT_EQ(c.machine.wait(100).sent, std::vector<Sent>{});
    EXPECT_EQ(c.machine.engine->held(), 1U);
    EXPECT_EQ(c.machine.wait(301).sent, as_sent({c.packet(0, 400)})) << "the flow ends";
}

TEST(TlsHolding, EndOfTheProgramReleases) {
    Client c(showing());
    c.part(0, 400);
    c.part(400, 800);
    c.machine.engine->release_held();
    EXPECT_EQ(c.machine.wire.sent, as_sent({c.packet(0, 400), c.packet(400, 800)}));
    EXPECT_EQ(c.machine.engine->held(), 0U);
}

TEST(TlsHolding, DestructionReleases) {
    Client c(showing());
    c.part(0, 400);
    c.machine.engine.reset();
    EXPECT_EQ(c.machine.wire.sent, as_sent({c.packet(0, 400)}));
}

TEST(TlsHolding, SynThatStartsOverReleases) {
    Client c(showing());
    c.part(0, 400);
    EXPECT_EQ(c.machine.out(c.flow.syn()).sent, as_sent({c.packet(0, 400)}));
    EXPECT_EQ(c.machine.engine->held(), 0U);
}

TEST(TlsHolding, EvictionReleases) {
    Config config = showing();
    config.options.ctrack.max_tracks = 1;
    Client c(config);
    c.part(0, 400);
    EXPECT_EQ(c.machine.out(udp(client6, server6, "x")).sent, as_sent({c.packet(0, 400)}));
}

// --- what the joined hello changes

TEST(TlsHolding, ProfileChangesBeforeTheFirstPiece) {
    Client c({{"--filter-l7=tls", "--hostlist-domains=example.com", "--lua-desync=show", "--new",
               "--in-range=a", "--lua-desync=old"},
              show + std::string("function old(ctx, d) tell('old', #d.dis.payload) end"),
              {}});
    expect_held(c.part(0, 700));
    EXPECT_EQ(
        c.part(700, 1115).told,
        (Lines{"tls_client_hello 1/2 off 0 reasm 1115 payload 700 www.example.com n3 s1",
               "tls_client_hello 2/2! off 700 reasm 1115 payload 415 www.example.com n4 s701"}));
    EXPECT_EQ(c.part(0, 700).line().substr(0, 21), "tls_client_hello live"); // the new one is kept
}

TEST(TlsHolding, RangesCountAsIfPiecesHadComeOneByOne) {
    Client c(showing({"--out-range=n4-n4", "--lua-desync=show", "--out-range=-d1",
                      "--lua-desync=show", "--out-range=s701-", "--lua-desync=show"}));
    c.part(0, 700);
    const Lines told = c.part(700, 1115).told;
    ASSERT_EQ(told.size(), 3U);
    EXPECT_EQ(told[0].substr(17, 3), "1/2"); // -d1
    EXPECT_EQ(told[1].substr(17, 3), "2/2"); // n4
    EXPECT_EQ(told[2].substr(17, 3), "2/2"); // s701-
}

TEST(TlsHolding, CutoffsWorkBetweenPieces) {
    Client c(showing({"--lua-desync=f"}, R"lua(
        function f(ctx, d) tell(d.replay_piece) if d.replay then instance_cutoff(ctx) end end)lua"));
    c.part(0, 300);
    c.part(300, 600);
    EXPECT_EQ(c.part(600, 1115).told, Lines{"1"});
}

TEST(TlsHolding, NegativeHostListSendsThePiecesUnmodified) {
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
TEST(TlsHolding, NegativeHostListOfTheFlowCancels) {
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

TEST(TlsHolding, ServerModeHoldsTheClientsHelloToo) {
    Config config{{"--in-range=a", "--lua-desync=f"},
                  "function f(ctx, d) if d.replay then tell(d.outgoing, d.replay_piece) end end",
                  {}};
    config.options.server = true;
    Client c(config);
    expect_held(c.machine.in(c.packet(0, 700)));
    EXPECT_EQ(c.machine.in(c.packet(700, 1115)).told, (Lines{"false 1", "false 2"}));
}

TEST(TlsHolding, Ipv6) {
    Client c(showing(), TcpFlow(client6, server6));
    expect_held(c.part(0, 700));
    EXPECT_EQ(c.part(700, 1115).sent, as_sent({c.packet(0, 700), c.packet(700, 1115)}));
}

TEST(TlsHolding, TwoFlowsDoNotMix) {
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
TEST(TlsHolding, FlowMayStartOverDuringTheReplay) {
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
TEST(TlsHolding, NotForACompleteRecord) {
    Client c(showing());
    EXPECT_EQ(c.part(0, 1115).line(),
              "tls_client_hello live off 0 reasm 1115 payload 1115 www.example.com n3 s1");
}

} // namespace
} // namespace nfqws2::engine::test
