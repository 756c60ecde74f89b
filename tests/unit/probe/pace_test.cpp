#include "probe/pace.hpp"

#include <gtest/gtest.h>

using namespace nfqws2::probe;

TEST(Pace, GrowsWhileAllGoesWell) {
    Pace pace(100, 32, 0);
    EXPECT_FALSE(pace.note(16, 0, true));
    EXPECT_EQ(pace.limit(), 40U);
    EXPECT_EQ(pace.trust(), 1U);
    for (int n = 0; n < 10; ++n) {
        pace.note(16, 1, true); // one of sixteen is chance
    }
    EXPECT_EQ(pace.limit(), 100U);
    EXPECT_EQ(pace.trust(), 1U);
}

TEST(Pace, FallsToWhatThisMachineTakes) {
    Pace pace(100, 100, most_trust);
    EXPECT_FALSE(pace.note(50, 0, false));
    EXPECT_EQ(pace.limit(), 75U);
    for (int n = 0; n < 20; ++n) {
        pace.note(50, 0, false);
    }
    EXPECT_EQ(pace.limit(), 4U);
    EXPECT_FALSE(pace.note(4, 0, true));
    EXPECT_EQ(pace.limit(), 5U);
    Pace one(1, 1, 0);
    one.note(1, 0, false);
    EXPECT_EQ(one.limit(), 1U);
}

TEST(Pace, OneBadGroupCostsHalfAtMost) {
    Pace pace(512, 512, most_trust);
    EXPECT_TRUE(pace.note(256, 200, true));
    EXPECT_EQ(pace.limit(), 512U);
    pace.begin_round(200);
    EXPECT_EQ(pace.now(), 256U);
    EXPECT_FALSE(pace.note(128, 20, true)); // of the round
    EXPECT_TRUE(pace.end_round(30, 0));
    EXPECT_EQ(pace.limit(), 256U);
    pace.begin_round(30);
    EXPECT_EQ(pace.now(), 128U);
    EXPECT_FALSE(pace.end_round(0, 0));
    EXPECT_EQ(pace.now(), 256U);
    for (int n = 0; n < 4; ++n) {
        pace.note(128, 0, true);
    }
    EXPECT_EQ(pace.now(), 512U);
}

TEST(Pace, FallsToWhatTheServerTakes) {
    Pace pace(64, 64, most_trust);
    EXPECT_TRUE(pace.note(32, 29, true));
    std::size_t left = 29;
    int rounds = 0;
    do {
        pace.begin_round(left);
        left = left > 3 && pace.now() > 3 ? left - 3 : 0;
        ++rounds;
    } while (pace.end_round(left, left));
    EXPECT_EQ(left, 0U);
    EXPECT_EQ(pace.limit(), 2U);
    EXPECT_EQ(rounds, 5);
}

TEST(Pace, BelievesThatItLiesInTheStrategies) {
    Pace pace(64, 64, 2);
    for (const std::uint32_t trust : {1U, 0U}) {
        EXPECT_TRUE(pace.note(32, 32, true));
        pace.begin_round(32);
        EXPECT_FALSE(pace.end_round(32, 0));
        EXPECT_EQ(pace.limit(), 64U);
        EXPECT_EQ(pace.trust(), trust);
    }
    EXPECT_FALSE(pace.doubts());
    EXPECT_FALSE(pace.note(32, 32, true));
}

TEST(Pace, AFewThatWereRefusedAreAskedOnceMore) {
    Pace pace(8, 8, 2);
    pace.note(4, 2, true);
    pace.begin_round(2);
    EXPECT_TRUE(pace.end_round(2, 1));
    pace.begin_round(2);
    EXPECT_FALSE(pace.end_round(2, 1)); // no trust is left
    EXPECT_EQ(pace.limit(), 8U);
}

TEST(Pace, WhatLeavesARoundDidNotConnect) {
    Pace pace(8, 8, 2);
    pace.note(8, 8, true);
    pace.begin_round(8);
    for (int n = 0; n < 4; ++n) {
        pace.leave_round();
    }
    EXPECT_FALSE(pace.end_round(4, 0));
    EXPECT_EQ(pace.limit(), 8U);
    EXPECT_EQ(pace.trust(), 1U);
    pace.begin_round(1);
    pace.leave_round();
    EXPECT_FALSE(pace.end_round(0, 0));
    EXPECT_EQ(pace.limit(), 8U);
    EXPECT_EQ(pace.trust(), 1U);
}

TEST(Pace, HasSensibleLimits) {
    EXPECT_EQ(Pace(16, 0, 9).limit(), 1U);
    EXPECT_EQ(Pace(16, 99, 9).limit(), 16U);
    EXPECT_EQ(Pace(16, 16, 9).trust(), most_trust);
    EXPECT_FALSE(Pace(16, 1, 3).doubts());
}
