#include "nfqws2/base/clock.hpp"

#include <gtest/gtest.h>

#include <ctime>

namespace nfqws2 {
namespace {

TEST(RealClock, FollowsTheSystemClocks) {
    const RealClock clock;
    const std::int64_t first = clock.boot_ns();
    timespec boot{};
    clock_gettime(CLOCK_BOOTTIME, &boot);
    const std::int64_t second = clock.boot_ns();
    const std::int64_t middle = boot.tv_sec * std::int64_t{1'000'000'000} + boot.tv_nsec;
    EXPECT_LE(first, middle);
    EXPECT_LE(middle, second);
    EXPECT_NEAR(static_cast<double>(clock.unix_s()), static_cast<double>(std::time(nullptr)), 1.0);
}

TEST(VirtualClock, NeverGoesBack) {
    VirtualClock clock(5'000'000'000);
    EXPECT_EQ(clock.unix_ns(), 5'000'000'000);
    clock.advance_to(7'250'000'000);
    EXPECT_EQ(clock.boot_ns(), 7'250'000'000);
    clock.advance_to(6'000'000'000);
    EXPECT_EQ(clock.unix_ns(), 7'250'000'000);
    EXPECT_EQ(clock.boot_ms(), 7250);
    EXPECT_EQ(clock.boot_s(), 7);
    EXPECT_EQ(clock.unix_s(), 7);
}

} // namespace
} // namespace nfqws2
