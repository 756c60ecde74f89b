// A ClientHello over several QUIC Initials (docs/contracts/reassembly.md#quic).
#include "hellos.hpp"
#include "machine.hpp"

namespace nfqws2::engine::test {
namespace {

const Lines none{};

constexpr const char* show = R"lua(
function show(ctx, d)
    local piece = d.replay and d.replay_piece .. "/" .. d.replay_piece_count or "live"
    tell(d.l7payload, piece, "off", d.reasm_offset, "decrypt", d.decrypt_data and #d.decrypt_data,
        "payload", #d.dis.payload, d.track and d.track.hostname, d.reasm_data)
end
)lua";

Config showing(std::vector<std::string> words = {"--lua-desync=show"}) {
    return {std::move(words), show, {}};
}

Buffer from_client(Bytes datagram) {
    return udp(client4, server4, datagram);
}
Buffer from_server(std::string_view payload) {
    return udp(server4, client4, payload);
}

Buffer substitute_of(Buffer packet) {
    packet[9] = 255;
    packet[8] = 1;
    return packet;
}

class QuicHolding : public ::testing::Test {
  protected:
    const Buffer hello = hello_message(1500, "pq.quic.example");
    const Buffer first = from_client(initial_with(hello, 0, 900, 0));
    const Buffer second = from_client(initial_with(hello, 900, 1500, 1));
    const Buffer later_first = from_client(initial_with(hello, 0, 900, 7));
    const std::string replayed_1 =
        "quic_initial 1/2 off 0 decrypt 1500 payload 1200 pq.quic.example nil";
    const std::string replayed_2 =
        "quic_initial 2/2 off 1200 decrypt 1500 payload 1200 pq.quic.example nil";

    static std::vector<Sent> sent(const std::vector<Buffer>& packets) {
        std::vector<Sent> list;
        list.reserve(packets.size());
        for (const Buffer& packet : packets)
            list.push_back({packet, Machine::mark, "eth0"});
        return list;
    }
};

TEST_F(QuicHolding, OneDatagramIsNotHeld) {
    Machine m(showing());
    const Buffer small = hello_message(400, "quic.example.com");
    EXPECT_EQ(m.out(from_client(initial_with(small, 0, 400))).line(),
              "quic_initial live off 0 decrypt 400 payload 1200 quic.example.com nil");
}

TEST_F(QuicHolding, TwoDatagrams) {
    Machine m(showing());
    const Outcome held = m.out(first);
    EXPECT_EQ(held.told, none);
    EXPECT_TRUE(held.modified()) << "the first packet of the flow leaves as a substitute";
    EXPECT_EQ(held.data, substitute_of(first));
    EXPECT_EQ(m.engine->held(), 1U);
    const Outcome last = m.out(second);
    EXPECT_TRUE(last.dropped());
    EXPECT_EQ(last.told, (Lines{replayed_1, replayed_2}));
    EXPECT_EQ(last.sent, sent({first, second}));
}

TEST_F(QuicHolding, SecondHalfFirst) {
    Machine m(showing());
    EXPECT_EQ(m.out(second).told, none);
    EXPECT_EQ(m.out(first).told, (Lines{replayed_1, replayed_2}));
}

TEST_F(QuicHolding, DecryptDataIsTheMessageInEveryPiece) {
    Machine m(
        {{"--lua-desync=f"},
         "hello = " + lua_bytes(hello) + " function f(ctx, d) tell(d.decrypt_data == hello) end",
         {}});
    m.out(first);
    EXPECT_EQ(m.out(second).told, (Lines{"true", "true"}));
}

TEST_F(QuicHolding, SubstituteDependsOnTheLocalSide) {
    Machine later(showing());
    later.out(udp(client4, server4, "x"));
    EXPECT_TRUE(later.out(first).dropped()) << "not the first packet";
    Config config = showing({"--in-range=a", "--lua-desync=show"});
    config.options.server = true;
    Machine server(config);
    EXPECT_TRUE(server.in(first).dropped()) << "the local side has sent nothing";
    EXPECT_EQ(server.in(second).told.size(), 2U);
    // A track whose local side has sent one packet: the rule is the same whatever the direction.
    Machine answered(config);
    answered.in(udp(client4, server4, "x"));
    answered.out(udp(server4, client4, "y"));
    EXPECT_TRUE(answered.in(first).modified());
}

// Deliberately better: an exact copy is dropped; the same bytes in another datagram are kept.
TEST_F(QuicHolding, ExactCopiesAreDropped) {
    Machine m(showing());
    m.out(first);
    EXPECT_TRUE(m.out(first).dropped());
    EXPECT_TRUE(m.out(later_first).dropped());
    EXPECT_EQ(m.out(second).told.size(), 3U);
}

TEST_F(QuicHolding, OffsetsAreSumsOfPayloads) {
    Machine m({{"--lua-desync=f"}, "function f(ctx, d) tell(d.reasm_offset) end", {}});
    m.out(first);
    m.out(later_first);
    EXPECT_EQ(m.out(second).told, (Lines{"0", "1200", "2400"}));
}

// Repeated bytes are no news, whatever datagram they come in.
TEST_F(QuicHolding, OnlyNewBytesProlong) {
    Machine m(showing());
    m.out(first);
    m.wait(1);
    m.out(later_first);
    m.out(from_client(initial_with(hello, 890, 963, 8)));
    EXPECT_EQ(m.engine->next_wakeup_ms(), 500);
    m.out(from_client(initial_with(hello, 963, 1027, 9)));
    EXPECT_EQ(m.engine->next_wakeup_ms(), 1500);
}

TEST_F(QuicHolding, PingOnlyInitialIsHeldBetween) {
    Machine m(showing());
    m.out(first);
    EXPECT_TRUE(m.out(from_client(initial_of({1}, 5))).dropped());
    EXPECT_EQ(m.out(second).told.size(), 3U);
}

// Deliberately better: the reference gives the first datagram up and keeps the second for ever.
TEST_F(QuicHolding, AckOnlyInitialDoesNotCancel) {
    Machine m(showing());
    m.out(first);
    EXPECT_TRUE(m.out(from_client(initial_of({2, 0, 0, 0, 0}, 5))).dropped());
    EXPECT_EQ(m.out(second).told.size(), 3U);
}

// Deliberately better: only Initials that can not be joined end it.
TEST_F(QuicHolding, OtherDatagramsOfTheFlowPassMeanwhile) {
    Machine m(showing({"--in-range=a", "--lua-desync=show"}));
    m.out(first);
    for (const Outcome& other :
         {m.in(from_server("reply")), m.out(udp(client4, server4, "unrelated")),
          m.out(udp(client4, server4, "")), m.in(from_server(""))}) {
        EXPECT_TRUE(other.accepted());
        EXPECT_EQ(other.sent, std::vector<Sent>{});
        EXPECT_EQ(other.told.size(), 1U);
    }
    EXPECT_EQ(m.out(second).told, (Lines{replayed_1, replayed_2}));
}

TEST_F(QuicHolding, InitialsThatCanNotBeJoinedCancel) {
    Buffer broken = initial_with(hello, 900, 1500);
    broken.back() ^= 1; // not decryptable
    const Buffer stream_frame = initial_of({8, 0, 0}, 3);
    for (const Buffer& datagram : {broken, stream_frame}) {
        Machine m(showing());
        m.out(first);
        const Outcome outcome = m.out(from_client(datagram));
        EXPECT_TRUE(outcome.accepted());
        EXPECT_EQ(outcome.sent, sent({first})) << "before the datagram that caused it";
        EXPECT_EQ(outcome.line(), "quic_initial live off 0 decrypt nil payload " +
                                      std::to_string(datagram.size()) + " nil nil");
        EXPECT_EQ(m.engine->held(), 0U);
    }
}

// Deliberately better: another connection id is another hello.
TEST_F(QuicHolding, AnotherConnectionIdStartsAnew) {
    Machine m(showing());
    m.out(first);
    const Buffer other = from_client(initial_of(
        builders::crypto_frame(0, copy_of(Bytes(hello).first(900))), 0, "1122334455667788"));
    const Outcome outcome = m.out(other);
    EXPECT_TRUE(outcome.dropped());
    EXPECT_EQ(outcome.sent, sent({first}));
    EXPECT_EQ(m.engine->held(), 1U);
}

TEST_F(QuicHolding, SixtyFifthDatagramReleasesAll) {
    Machine m(showing());
    std::vector<Buffer> all;
    for (std::size_t i = 1; i <= 64; i++) { // the first byte never comes
        all.push_back(from_client(initial_with(hello, i, i + 1, static_cast<std::uint32_t>(i))));
        EXPECT_FALSE(m.out(all.back()).accepted());
    }
    const Outcome outcome = m.out(from_client(initial_with(hello, 65, 66, 65)));
    EXPECT_TRUE(outcome.accepted());
    EXPECT_EQ(outcome.sent, sent(all));
    EXPECT_EQ(outcome.line(), "quic_initial live off 0 decrypt nil payload 1200 nil nil");
}

TEST_F(QuicHolding, HelloOf12Datagrams) {
    Machine m(showing());
    const Buffer large = hello_message(12218, "large.example");
    for (std::size_t i = 0; i < 11; i++)
        EXPECT_FALSE(m.out(from_client(initial_with(large, i * 1100, (i + 1) * 1100,
                                                    static_cast<std::uint32_t>(i))))
                         .accepted());
    const Outcome last = m.out(from_client(initial_with(large, 12100, 12218, 11)));
    ASSERT_EQ(last.told.size(), 12U);
    EXPECT_EQ(last.told[11],
              "quic_initial 12/12 off 13200 decrypt 12218 payload 1200 large.example nil");
}

TEST_F(QuicHolding, TooLargeHelloCancels) {
    Machine m(showing());
    const Buffer large = hello_message(17217, "large.example");
    std::size_t released = 0, accepted = 0;
    for (std::size_t i = 0; i < 16; i++) {
        const std::size_t from = i * 1100, to = std::min<std::size_t>(from + 1100, large.size());
        const Outcome outcome =
            m.out(from_client(initial_with(large, from, to, static_cast<std::uint32_t>(i))));
        released += outcome.sent.size();
        if (!outcome.accepted()) continue;
        accepted++;
        EXPECT_EQ(outcome.told.size(), 1U);
    }
    EXPECT_EQ(released, 14U);
    EXPECT_GE(accepted, 1U);
    m.wait(2);
    EXPECT_EQ(m.engine->held(), 0U);
}

TEST_F(QuicHolding, NotWithoutATrackOrWhenDisabled) {
    Config config = showing();
    config.options.ctrack_disable = true;
    Machine untracked(config);
    EXPECT_EQ(untracked.out(first).line(),
              "quic_initial live off 0 decrypt 900 payload 1200 nil nil");
    EXPECT_EQ(untracked.out(second).line(),
              "quic_initial live off 0 decrypt nil payload 1200 nil nil");

    Config refusing = showing();
    refusing.options.reasm_disable.disable_every();
    Machine disabled(refusing);
    EXPECT_EQ(disabled.out(first).line(),
              "quic_initial live off 0 decrypt 900 payload 1200 pq.quic.example nil");
    EXPECT_EQ(disabled.out(second).line(),
              "quic_initial live off 0 decrypt nil payload 1200 pq.quic.example nil");
}

TEST_F(QuicHolding, ServersInitialIsNotDecrypted) {
    Machine m(showing({"--in-range=a", "--lua-desync=show"}));
    m.out(udp(client4, server4, "."));
    Buffer answer = udp(server4, client4, initial_with(hello, 0, 900));
    EXPECT_EQ(m.in(answer).line(), "quic_initial live off 0 decrypt nil payload 1200 nil nil");
}

TEST_F(QuicHolding, StreamThatIsNoHelloPasses) {
    Machine m(showing());
    EXPECT_EQ(m.out(from_client(initial_of(builders::crypto_frame(0, Buffer(50, 9))))).line(),
              "quic_initial live off 0 decrypt nil payload 1200 nil nil");
}

// Deliberately better: the late half is still part of a hello, and is not held in turn.
TEST_F(QuicHolding, TimeoutReleasesAndALateHalfIsKnown) {
    Machine m(showing());
    m.out(first);
    EXPECT_EQ(m.wait(1.5).sent, sent({first}));
    EXPECT_EQ(m.out(later_first).line(), "quic_initial live off 0 decrypt nil payload 1200 nil nil")
        << "has left already";
    EXPECT_EQ(m.out(second).line(),
              "quic_initial live off 0 decrypt 1500 payload 1200 pq.quic.example nil");
    EXPECT_EQ(m.engine->held(), 0U);
    // Another connection in the same flow begins anew.
    m.out(first);
    m.wait(1.5);
    const Buffer other = initial_of(builders::crypto_frame(0, copy_of(Bytes(hello).first(900))), 0,
                                    "1122334455667788");
    EXPECT_TRUE(m.out(from_client(other)).dropped());
}

TEST_F(QuicHolding, EndOfTheFlowReleases) {
    Config config = showing();
    config.options.ctrack.release_ms = 0;
    config.options.ctrack.timeout_udp = 5;
    Machine m(config);
    m.out(first);
    EXPECT_EQ(m.wait(6).sent, sent({first}));
}

// What was not held must not come back as half of a message.
TEST_F(QuicHolding, NothingIsJoinedWithoutRoomToHold) {
    Config config = showing();
    config.options.ctrack.max_held_bytes = 10;
    Machine m(config);
    for (const Buffer& datagram : {first, second, later_first}) {
        const Outcome outcome = m.out(datagram);
        EXPECT_TRUE(outcome.accepted());
        EXPECT_EQ(outcome.line(), "quic_initial live off 0 decrypt nil payload 1200 nil nil");
    }
    // Room comes back: the first half was not held and so has no part in it.
    Config tight = showing();
    tight.options.ctrack.max_held_bytes = 3500;
    Machine other(tight);
    for (const Peer& peer : {Peer{"fd00::1", 1}, Peer{"fd00::1", 2}})
        EXPECT_FALSE(other.out(udp(peer, server6, initial_with(hello, 0, 900))).accepted());
    EXPECT_TRUE(other.out(first).accepted());
    other.wait(1.5);
    EXPECT_FALSE(other.out(second).accepted());
    EXPECT_EQ(other.out(later_first).told, (Lines{replayed_1, replayed_2}));
}

TEST_F(QuicHolding, VerdictsOfPieces) {
    Machine m({{"--lua-desync=f"},
               R"lua(
        function f(ctx, d)
            if d.replay_piece == 1 then return VERDICT_DROP end
            d.dis.payload = "changed"
            return VERDICT_MODIFY
        end)lua",
               {}});
    m.out(first);
    const Outcome last = m.out(second);
    ASSERT_EQ(last.sent.size(), 1U) << "a dropped piece has no substitute";
    EXPECT_EQ(as_text(Bytes(last.sent[0].data).subspan(28)), "changed");
}

TEST_F(QuicHolding, ProfileChangesBeforeTheFirstPiece) {
    Machine m(showing({"--filter-l7=quic", "--hostlist-domains=quic.example", "--lua-desync=show",
                       "--new", "--lua-desync=drop"}));
    m.out(first);
    EXPECT_EQ(m.out(second).told, (Lines{replayed_1, replayed_2}));
}

TEST_F(QuicHolding, NegativeHostListSendsThePiecesUnmodified) {
    profile::testing::TempDir dir;
    Machine m(showing({"--hostlist-auto=" + dir.write("auto.txt", "other.com\n"),
                       "--hostlist-auto-udp-out=0", "--lua-desync=show"}));
    m.out(first);
    const Outcome last = m.out(second);
    EXPECT_EQ(last.told, none);
    EXPECT_EQ(last.sent, sent({first, second}));
}

TEST_F(QuicHolding, RangesCountAsIfPiecesHadComeOneByOne) {
    Machine m(showing({"--out-range=n2-n2", "--lua-desync=show"}));
    m.out(first);
    EXPECT_EQ(m.out(second).told, Lines{replayed_2});
}

} // namespace
} // namespace nfqws2::engine::test
