#include "nfqws2/flow/connection_table.hpp"
#include "packets.hpp"

#include <gtest/gtest.h>

namespace nfqws2::flow::test {
namespace {

constexpr std::int64_t ms = 1'000'000;

// What the engine does: sends the held packets, forgets them, tells the table.
class Releaser : public TrackObserver {
  public:
    explicit Releaser(ConnectionTable& t) : table(t) {}
    void on_track_end(Track& track) override { release(track, "end"); }
    void on_held_timeout(Track& track) override {
        if (obedient) release(track, "late");
    }
    void release(Track& track, const std::string& why) {
        if (!track.holding()) return;
        for (const HeldPacket& p : track.extension()->held)
            log.push_back(why + std::to_string(track.number()) + ':' + std::to_string(p.mark));
        track.extension()->held.clear();
        table.held_changed(track);
    }
    ConnectionTable& table;
    std::vector<std::string> log;
    bool obedient = true;
};

class HeldPacketsTest : public ::testing::Test {
  protected:
    HeldPacketsTest() { table.set_observer(&releaser); }
    Track* open(std::uint16_t port) {
        Ends e;
        e.source_port = port;
        return table.feed(dissected(udp(e, 1))).track;
    }
    void hold(Track& track, std::uint32_t mark, std::size_t size = 100) {
        HeldPacket p;
        p.data.resize(size);
        p.mark = mark;
        track.need_extension().held.push_back(std::move(p));
        table.held_changed(track);
    }
    void advance(std::int64_t milliseconds) {
        clock.advance_to(clock.boot_ns() + milliseconds * ms);
        table.purge();
        table.release_overdue();
    }
    using Log = std::vector<std::string>;

    VirtualClock clock{ms * 1000};
    TableOptions options{60, 300, 60, 60, 4, 10'000, 1500};
    ConnectionTable table{options, clock};
    Releaser releaser{table};
};

TEST_F(HeldPacketsTest, ReleasedAfterTheTimeOfTheLastPacket) {
    Track& track = *open(1);
    EXPECT_EQ(table.next_release_ms(), -1);
    hold(track, 1);
    EXPECT_EQ(table.next_release_ms(), 1500);
    advance(1000);
    hold(track, 2); // prolongs
    EXPECT_EQ(table.next_release_ms(), 1500);
    advance(1499);
    EXPECT_EQ(releaser.log, Log{});
    EXPECT_EQ(table.next_release_ms(), 1);
    advance(1);
    EXPECT_EQ(releaser.log, (Log{"late1:1", "late1:2"})); // in order
    EXPECT_EQ(table.held_packets(), 0U);
    EXPECT_EQ(table.next_release_ms(), -1);
    EXPECT_EQ(table.size(), 1U); // the flow lives on
}

TEST_F(HeldPacketsTest, TakingSomeOutDoesNotProlong) {
    Track& track = *open(1);
    hold(track, 1);
    hold(track, 2);
    advance(1000);
    track.extension()->held.pop_back();
    table.held_changed(track);
    EXPECT_EQ(table.held_packets(), 1U);
    EXPECT_EQ(table.next_release_ms(), 500);
}

TEST_F(HeldPacketsTest, FlowsInOrderOfTheirLastPacket) {
    Track &a = *open(1), &b = *open(2), &c = *open(3);
    hold(a, 1);
    advance(10);
    hold(b, 2);
    advance(10);
    hold(c, 3);
    advance(10);
    hold(a, 4);
    releaser.release(b, "now");
    EXPECT_EQ(table.held_packets(), 3U);
    advance(1490);
    EXPECT_EQ(releaser.log, (Log{"now2:2", "late3:3"}));
    advance(10);
    EXPECT_EQ(releaser.log, (Log{"now2:2", "late3:3", "late1:1", "late1:4"}));
}

TEST_F(HeldPacketsTest, ReleasedOnExpiry) {
    options.release_ms = 0; // no timer
    ConnectionTable slow(options, clock);
    Releaser r(slow);
    slow.set_observer(&r);
    Track& track = *slow.feed(dissected(udp(Ends(), 1))).track;
    HeldPacket p;
    p.mark = 9;
    track.need_extension().held.push_back(p);
    slow.held_changed(track);
    EXPECT_EQ(slow.next_release_ms(), -1);
    clock.advance_to(clock.boot_ns() + 61'000 * ms);
    slow.purge();
    EXPECT_EQ(r.log, (Log{"end1:9"}));
    EXPECT_EQ(slow.held_packets(), 0U);
}

TEST_F(HeldPacketsTest, ReleasedOnResetEvictionAndClear) {
    const Ends e;
    table.feed(dissected(tcp(e, {tf::syn, 1, 0, 1, {}, 0})));
    Track* track = table.feed(dissected(tcp(e, {tf::ack, 2, 6, 1, {}, 0}))).track;
    hold(*track, 1);
    track = table.feed(dissected(tcp(e, {tf::syn, 50, 0, 1, {}, 0}))).track;
    EXPECT_EQ(releaser.log, (Log{"end1:1"}));
    EXPECT_FALSE(track->holding());
    hold(*track, 2);
    for (std::uint16_t port = 1; port <= 4; port++)
        open(port);
    EXPECT_EQ(releaser.log, (Log{"end1:1", "end2:2"}));
    Track* last = open(4);
    hold(*last, 3);
    table.clear();
    EXPECT_EQ(releaser.log.back(), "end6:3");
    EXPECT_EQ(table.held_packets(), 0U);
    EXPECT_EQ(table.held_bytes(), 0U);
}

TEST_F(HeldPacketsTest, BytesAreBounded) {
    Track &a = *open(1), &b = *open(2);
    const std::size_t each = 3000;
    EXPECT_TRUE(table.may_hold(each));
    hold(a, 1, each);
    hold(a, 2, each);
    EXPECT_TRUE(table.may_hold(each));
    hold(b, 3, each);
    EXPECT_FALSE(table.may_hold(each));
    EXPECT_FALSE(table.may_hold(20'000));
    EXPECT_EQ(table.held_packets(), 3U);
    EXPECT_EQ(table.held_bytes(), 3 * (each + sizeof(HeldPacket)));
    releaser.release(a, "now");
    EXPECT_EQ(table.held_bytes(), each + sizeof(HeldPacket));
    EXPECT_TRUE(table.may_hold(each));
}

TEST_F(HeldPacketsTest, WhatRulesSaidOfThemCounts) {
    Track& a = *open(1);
    hold(a, 1);
    const std::size_t before = table.held_bytes();
    const auto said = std::make_shared<int>(0); // nobody looks inside
    a.extension()->held.back().rules = {said, reinterpret_cast<const rules::Account*>(said.get())};
    table.held_changed(a);
    EXPECT_GT(table.held_bytes(), before + 100);
}

TEST_F(HeldPacketsTest, ObserverThatDoesNothingIsAskedAgainLater) {
    releaser.obedient = false;
    hold(*open(1), 1);
    advance(1500);
    EXPECT_EQ(table.held_packets(), 1U);
    EXPECT_EQ(table.next_release_ms(), 1500);
}

TEST_F(HeldPacketsTest, WithoutAnObserverTheyAreDropped) {
    table.set_observer(nullptr);
    hold(*open(1), 1);
    advance(1500);
    EXPECT_EQ(table.held_packets(), 0U);
}

} // namespace
} // namespace nfqws2::flow::test
