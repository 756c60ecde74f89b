// Packets that are put aside, alone: no detection, no scripts.
#include "engine/holder.hpp"
#include "engine/replayer.hpp"
#include "parts.hpp"

namespace nfqws2::engine::test {
namespace {

Trace* const nobody = nullptr;

constexpr std::uint32_t own_mark = Machine::mark;

class HolderTest : public testing::Test {
  protected:
    explicit HolderTest(const flow::TableOptions& table = {}) : parts(table) {
        parts.count(flow.syn());
        parts.count(flow.syn_ack());
    }
    bool hold(const Buffer& packet, std::uint32_t mark = 0) {
        Passage p;
        parts.enter(p, packet, mark);
        track = p.track;
        return holder.hold(p);
    }

    TcpFlow flow;
    Parts parts;
    flow::Track* track = nullptr;
    Holder holder{{&parts.connections, capture::UntracedOutlet(parts.wire), *parts.profiles,
                   Story(nobody), own_mark, false}};
};

TEST_F(HolderTest, ReleasesInOrderWithMarkAndInterface) {
    const Buffer first = flow.from_client(text("one"), 0),
                 second = flow.from_client(text("two"), 3);
    ASSERT_TRUE(hold(first));
    ASSERT_TRUE(hold(second, 0x10));
    EXPECT_TRUE(track->holding());
    EXPECT_EQ(parts.connections.held_packets(), 2U);
    holder.release(*track);
    EXPECT_FALSE(track->holding());
    EXPECT_EQ(parts.wire.sent,
              (std::vector<Sent>{{first, own_mark, "eth0"}, {second, own_mark | 0x10, "eth0"}}));
}

TEST_F(HolderTest, ReleaseOfNothingSendsNothing) {
    ASSERT_TRUE(hold(flow.from_client(text("one"), 0)));
    holder.release(*track);
    parts.wire.sent.clear();
    holder.release(*track);
    EXPECT_EQ(parts.wire.sent, std::vector<Sent>{});
}

TEST_F(HolderTest, RefusesMoreThanAFlowMayHold) {
    for (std::size_t i = 0; i < flow::max_held_packets; i++)
        ASSERT_TRUE(hold(flow.from_client(text("x"), static_cast<std::uint32_t>(i)))) << i;
    EXPECT_FALSE(hold(flow.from_client(text("x"), flow::max_held_packets)));
    EXPECT_EQ(parts.connections.held_packets(), flow::max_held_packets);
}

TEST_F(HolderTest, ResumesThePacketAsItWas) {
    const Buffer packet = flow.from_client(text("data"), 0);
    ASSERT_TRUE(hold(packet, 7));
    parts.count(flow.from_client(text("later"), 4)); // counted after it
    Passage p;
    holder.resume(p, track->extension()->held.front());
    EXPECT_EQ(copy_of(p.raw), packet);
    EXPECT_EQ(p.mark, 7U);
    EXPECT_EQ(p.ifout, "eth0");
    EXPECT_EQ(p.target, IpAddress::parse(server4.address));
    EXPECT_EQ(p.target_port, server4.port);
    EXPECT_FALSE(p.incoming);
    ASSERT_TRUE(p.positions);
    EXPECT_EQ(p.positions->client.pdcounter, 1U);
}

class TightHolderTest : public HolderTest {
  protected:
    TightHolderTest() : HolderTest(tight()) {}
    static flow::TableOptions tight() {
        flow::TableOptions table;
        table.max_held_bytes = 100;
        return table;
    }
};

TEST_F(TightHolderTest, RefusesWhatHasNoRoom) {
    EXPECT_FALSE(hold(flow.from_client(Buffer(200, 'x'), 0)));
    EXPECT_FALSE(track->holding());
}

// Remembers the pieces, and judges them by a list.
class FixedJudge final : public PieceJudge {
  public:
    capture::Verdict judge_piece(Passage& p, Bytes message) override {
        seen.push_back(format("%u/%u at %u of %zu", p.replay->piece, p.replay->count,
                              p.replay->offset, message.size()));
        return verdicts[seen.size() - 1];
    }
    std::vector<capture::Verdict> verdicts;
    Lines seen;
};

TEST_F(HolderTest, ReplayShowsEachPieceAndObeysTheJudge) {
    FixedJudge judge;
    const Buffer other = text("other");
    judge.verdicts = {{capture::Action::accept, {}},
                      {capture::Action::drop, {}},
                      {capture::Action::modify, other}};
    Replayer replayer(holder, &parts.connections, judge, Story(nobody));
    const Buffer first = flow.from_client(text("one"), 0);
    ASSERT_TRUE(hold(first));
    ASSERT_TRUE(hold(flow.from_client(text("two"), 3)));
    ASSERT_TRUE(hold(flow.from_client(text("three"), 6)));
    const flow::HeldPackets pieces = track->extension()->held;
    flow::Reassembly message(flow::Reassembly::Kind::tls_client_hello, flow::max_message,
                             pieces[0].positions.client.seq);
    ASSERT_TRUE(message.feed(message.first_seq(), text("onetwothree")));
    EXPECT_TRUE(replayer.replay_pieces(*track, message, pieces));
    EXPECT_EQ(judge.seen, (Lines{"1/3 at 0 of 11", "2/3 at 3 of 11", "3/3 at 6 of 11"}));
    EXPECT_EQ(parts.wire.sent,
              (std::vector<Sent>{{first, own_mark, "eth0"}, {other, own_mark, "eth0"}}));
}

} // namespace
} // namespace nfqws2::engine::test
