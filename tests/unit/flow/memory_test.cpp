// One budget for flows, held packets and messages: what gives way when it is full.
#include "nfqws2/flow/connection_table.hpp"
#include "packets.hpp"

#include <gtest/gtest.h>

namespace nfqws2::flow::test {
namespace {

using Part = MemoryBudget::Part;

class Releaser : public TrackObserver {
  public:
    explicit Releaser(ConnectionTable& t) : table(t) {}
    void on_track_end(Track& track) override { release(track); }
    void on_held_timeout(Track& track) override { release(track); }
    void release(Track& track) {
        if (!track.holding()) return;
        released.push_back(track.number());
        track.extension()->held.clear();
        table.held_changed(track);
    }
    ConnectionTable& table;
    std::vector<std::uint32_t> released;
};

class FlowMemoryTest : public ::testing::Test {
  protected:
    FlowMemoryTest() { table.set_observer(&releaser); }
    // A TCP flow from this port; `answered` by a SYN,ACK.
    Track& open(std::uint16_t port, bool answered) {
        Ends e;
        e.source_port = port;
        Track* track = table.feed(dissected(tcp(e, {tf::syn, 100}))).track;
        if (answered) table.feed(dissected(tcp(e.reversed(), {tf::syn | tf::ack, 500, 101})));
        return *track;
    }
    bool hold(Track& track, std::size_t size) {
        if (!table.make_room(track, size)) return false;
        HeldPacket p;
        p.data.resize(size);
        track.need_extension().held.push_back(std::move(p));
        table.held_changed(track);
        return true;
    }
    void advance(std::int64_t ms) {
        clock.advance_to(clock.boot_ns() + ms * 1'000'000);
        table.release_overdue();
    }
    static TableOptions options(MemoryBudget& budget) {
        TableOptions o;
        o.memory = &budget;
        return o;
    }

    static constexpr std::size_t large = 1'000'000;
    VirtualClock clock{1'000'000'000};
    static constexpr std::size_t limit = MemoryBudget::least_beside_others;
    MemoryBudget budget{limit};
    ConnectionTable table{options(budget), clock};
    Releaser releaser{table};
};

TEST_F(FlowMemoryTest, SharesAreTold) {
    Track& track = open(1, true);
    const std::size_t flows = budget.share(Part::flows);
    EXPECT_GE(flows, sizeof(Track));
    EXPECT_TRUE(hold(track, large));
    EXPECT_GE(budget.share(Part::held), large);
    track.need_extension().reassembly =
        std::make_unique<Reassembly>(Reassembly::Kind::tls_client_hello, max_message, 101);
    track.extension()->reassembly->feed(101 + 16000, std::vector<std::uint8_t>(1));
    table.held_changed(track);
    EXPECT_GT(budget.share(Part::messages), 0U);
    EXPECT_LT(budget.share(Part::messages), 1000U) << "a gap costs nothing";
    table.clear();
    for (const Part part : {Part::flows, Part::held, Part::messages})
        EXPECT_EQ(budget.share(part), 0U);
}

TEST_F(FlowMemoryTest, TheYoungestUnansweredHolderGivesWayToAnsweredOnes) {
    Track &answered = open(1, true), &first = open(2, false), &second = open(3, false);
    std::size_t held = 0;
    while (hold(first, large) && hold(second, large) && held < 100)
        held += 2;
    EXPECT_LE(held, 12U);
    EXPECT_EQ(releaser.released, std::vector<std::uint32_t>{}) << "they cannot push out anybody";
    EXPECT_TRUE(hold(answered, large));
    EXPECT_EQ(releaser.released, std::vector<std::uint32_t>{second.number()});
    while (hold(answered, large)) {
    }
    EXPECT_EQ(releaser.released, (std::vector<std::uint32_t>{second.number(), first.number()}));
    EXPECT_LE(budget.share(Part::held), limit);
}

TEST_F(FlowMemoryTest, HellosThatHaveLeftGiveWayFirst) {
    Track &track = open(1, true), &other = open(2, true);
    other.need_extension();
    auto past = std::make_unique<PastHello>(
        PastHello{{Reassembly::Kind::tls_client_hello, max_message, 0}, {}});
    past->pieces.resize(1);
    past->pieces[0].data.resize(large);
    table.keep_past(other, std::move(past));
    ASSERT_TRUE(other.extension()->past);
    while (hold(track, large)) {
    }
    EXPECT_FALSE(other.extension()->past);
    EXPECT_EQ(releaser.released, std::vector<std::uint32_t>{});
}

TEST_F(FlowMemoryTest, FlowsTakeThePlaceOfUnansweredOnes) {
    Ends e;
    e.source_port = 1;
    open(1, true);
    table.feed(dissected(tcp(e, {tf::ack, 101, 501})));
    for (std::uint32_t i = 0; i < 80'000; i++) {
        Ends other;
        other.source_port = static_cast<std::uint16_t>(i);
        other.source = "11.0.0." + std::to_string(i >> 16);
        table.feed(dissected(tcp(other, {tf::syn, 1})));
    }
    EXPECT_LE(budget.share(Part::flows), limit);
    EXPECT_GT(table.size(), 20'000U);
    EXPECT_GT(table.evicted(), 0U);
    EXPECT_TRUE(table.find(dissected(tcp(e, {tf::ack, 101, 501})))) << "answered";
}

TEST_F(FlowMemoryTest, FlowsWithoutAnAnswerAreHeldForLess) {
    Track& alone = open(1, false);
    hold(alone, 100);
    EXPECT_EQ(table.next_release_ms(), 1500) << "only outgoing packets are seen so far";
    advance(1500);
    Track &answered = open(2, true), &unanswered = open(3, false);
    hold(answered, 100);
    hold(unanswered, 100);
    EXPECT_EQ(table.next_release_ms(), 500);
    advance(400);
    hold(unanswered, 100);
    advance(400);
    hold(unanswered, 100);
    advance(400);
    hold(unanswered, 100);
    EXPECT_EQ(table.next_release_ms(), 300);
    advance(300);
    EXPECT_EQ(releaser.released,
              (std::vector<std::uint32_t>{alone.number(), answered.number(), unanswered.number()}));
}

} // namespace
} // namespace nfqws2::flow::test
