#include "flow/expiry_wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace nfqws2::flow {
namespace {

struct Node {
    std::uint32_t wheel_prev = 0, wheel_next = 0, wheel_s = 0;
};
struct NodeAt {
    std::vector<Node>* nodes;
    Node& operator()(std::uint32_t i) const { return (*nodes)[i]; }
};
using Wheel = ExpiryWheel<NodeAt>;

class ExpiryWheelTest : public ::testing::Test {
  protected:
    // Takes what is due out of the wheel, in order.
    std::vector<std::uint32_t> due(std::uint32_t now, unsigned budget = 1000) {
        std::vector<std::uint32_t> result;
        more = wheel.run(now, &budget, [&](std::uint32_t i) {
            wheel.unlink(i);
            result.push_back(i);
        });
        return result;
    }
    using List = std::vector<std::uint32_t>;

    std::vector<Node> nodes = std::vector<Node>(16);
    Wheel wheel{NodeAt{&nodes}};
    bool more = false;
};

TEST_F(ExpiryWheelTest, DueInOrderOfSecondAndArrival) {
    wheel.link(3, 20);
    wheel.link(1, 10);
    wheel.link(2, 20);
    EXPECT_EQ(wheel.first(), 1U);
    EXPECT_EQ(wheel.first_second(), 10U);
    EXPECT_EQ(due(9), List{});
    EXPECT_EQ(due(10), (List{1}));
    EXPECT_EQ(due(30), (List{3, 2}));
    EXPECT_EQ(wheel.first(), Wheel::none);
    EXPECT_EQ(wheel.first_second(), Wheel::none);
}

TEST_F(ExpiryWheelTest, UnlinkAnywhere) {
    for (std::uint32_t i = 0; i < 5; i++)
        wheel.link(i, 5);
    wheel.unlink(0);
    wheel.unlink(2);
    wheel.unlink(4);
    EXPECT_EQ(due(5), (List{1, 3}));
}

TEST_F(ExpiryWheelTest, PastAndFarSecondsAreBroughtIntoReach) {
    EXPECT_EQ(due(100), List{});
    wheel.link(1, 50); // past: next second that is worked off
    EXPECT_EQ(nodes[1].wheel_s, 101U);
    wheel.link(2, 100'000); // beyond the wheel: its last slot, to be looked at again there
    EXPECT_EQ(nodes[2].wheel_s, 101U + 1023);
    EXPECT_EQ(due(101), (List{1}));
    EXPECT_EQ(wheel.first_second(), 1124U);
}

TEST_F(ExpiryWheelTest, BudgetStopsAndGoesOn) {
    for (std::uint32_t i = 0; i < 5; i++)
        wheel.link(i, 1);
    EXPECT_EQ(due(10, 3), (List{0, 1, 2}));
    EXPECT_TRUE(more);
    EXPECT_EQ(due(10, 3), (List{3, 4}));
    EXPECT_FALSE(more);
}

TEST_F(ExpiryWheelTest, ClockJumpLooksAtEverySlotOnce) {
    wheel.link(1, 7);
    wheel.link(2, 1000);
    List both = due(1'700'000'000); // more than a turn: the order is lost
    std::sort(both.begin(), both.end());
    EXPECT_EQ(both, (List{1, 2}));
    wheel.link(3, 1'700'000'060);
    EXPECT_EQ(due(1'700'000'059), List{});
    EXPECT_EQ(due(1'700'000'060), (List{3}));
}

TEST_F(ExpiryWheelTest, RelinkWhileVisited) {
    wheel.link(1, 1);
    unsigned budget = 10;
    unsigned visits = 0;
    wheel.run(5, &budget, [&](std::uint32_t i) {
        visits++;
        wheel.unlink(i);
        wheel.link(i, 5 + 2000); // as far as a full turn
    });
    EXPECT_EQ(visits, 1U);
    EXPECT_GT(nodes[1].wheel_s, 5U);
}

TEST_F(ExpiryWheelTest, FirstSecondWrapsRoundTheSlots) {
    EXPECT_EQ(due(1000), List{});
    wheel.link(1, 1001 + 1023); // slot 1000, just behind the cursor's
    EXPECT_EQ(wheel.first_second(), 2024U);
    wheel.link(2, 1030);
    EXPECT_EQ(wheel.first_second(), 1030U);
}

} // namespace
} // namespace nfqws2::flow
