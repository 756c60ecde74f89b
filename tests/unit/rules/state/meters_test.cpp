#include "nfqws2/rules/state/meters.hpp"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace nfqws2::rules {
namespace {

constexpr std::int64_t ms = 1'000'000, second = 1000 * ms;
constexpr std::int64_t start = 1'700'000'000 * second + 123'456'789;
constexpr RateVerdict conform{}, exceed{RateLevel::exceed, false},
    violate{RateLevel::violate, false}, cooling{RateLevel::exceed, true};

BucketKey key_of(std::uint32_t source, std::optional<std::uint32_t> port = {}) {
    std::array<std::uint8_t, 4> raw;
    store_be32(raw.data(), source);
    BucketKey key;
    key.add(IpAddress::v4(raw.data()));
    if (port) key.add(*port);
    return key;
}
TableSetup setup(std::size_t entries, bool shared = false) {
    return {entries, shared, 64, nullptr, SipKey{1, 2}};
}
RateParameters pps(std::uint64_t rate, std::int64_t burst_ms = 0, std::int64_t cooldown_ms = 0) {
    return {{rate, burst_ms}, {}, cooldown_ms, 0};
}

class MetersTest : public ::testing::Test {
  protected:
    Meters meters{setup(1000)};
};

TEST_F(MetersTest, SteadyStreamAtTheRateConforms) {
    const auto limit = meters.ratelimit(8, pps(500));
    for (std::int64_t n = 0; n < 5000; n++)
        ASSERT_EQ(limit->count(key_of(1), 1, 100, start + n * 2 * ms), conform) << n;
}

TEST_F(MetersTest, FasterStreamConformsForTheFirstPacketsOnly) {
    const auto limit = meters.ratelimit(8, pps(500));
    for (std::int64_t n = 0; n < 5000; n++)
        ASSERT_EQ(limit->count(key_of(1), 1, 100, start + n * 1600 * (ms / 1000)),
                  n < 500 ? conform : exceed)
            << n;
    EXPECT_EQ(limit->counts().exceed, 4500U);
}

TEST_F(MetersTest, BurstDelaysTheVerdict) {
    const auto limit = meters.ratelimit(8, pps(500, 100));
    std::int64_t first_over = -1, first_exceed = -1;
    for (std::int64_t n = 0; n < 2000 && first_exceed < 0; n++) {
        const std::int64_t at = n * ms; // 1000 a second
        if (n == 500) first_over = at;
        if (limit->count(key_of(1), 1, 100, start + at) == exceed) first_exceed = at;
    }
    EXPECT_EQ(first_exceed - first_over, 100 * ms);
}

TEST_F(MetersTest, PacketThatIsNotOverEndsTheBurst) {
    const auto limit = meters.ratelimit(8, pps(10, 100));
    for (int n = 0; n < 15; n++)
        EXPECT_EQ(limit->count(key_of(1), 1, 1, start), conform);
    EXPECT_EQ(limit->count(key_of(1), 1, 1, start + 5 * second), conform);
    for (int n = 0; n < 15; n++)
        EXPECT_EQ(limit->count(key_of(1), 1, 1, start + 5 * second + 99 * ms), conform);
}

TEST_F(MetersTest, CooldownKeepsTheVerdict) {
    const auto limit = meters.ratelimit(8, pps(500, 0, 5000));
    for (std::int64_t n = 0; n <= 10'000; n++)
        limit->count(key_of(1), 1, 100, start + n * ms);
    EXPECT_EQ(limit->count(key_of(1), 1, 100, start + 14'900 * ms), cooling);
    EXPECT_EQ(limit->count(key_of(1), 1, 100, start + 15'100 * ms), conform);
}

TEST_F(MetersTest, BothRatesViolate) {
    RateParameters both = pps(10);
    both.bps.rate = 80'000;
    const auto limit = meters.ratelimit(8, both);
    for (int n = 0; n < 10; n++) {
        EXPECT_EQ(limit->count(key_of(1), 1, 1000, start + n * 50 * ms), conform);
        EXPECT_EQ(limit->count(key_of(2), 1, 100, start + n * 50 * ms), conform);
    }
    EXPECT_EQ(limit->count(key_of(1), 1, 1000, start + 600 * ms), violate);
    EXPECT_EQ(limit->count(key_of(2), 1, 100, start + 600 * ms), exceed);
    EXPECT_EQ(limit->counts().violate, 1U);
}

TEST_F(MetersTest, KeysAreApart) {
    const auto by_port = meters.ratelimit(1, pps(10));
    for (int n = 0; n < 20; n++)
        by_port->count(key_of(1, 53), 1, 100, start);
    EXPECT_EQ(by_port->count(key_of(1, 53), 1, 100, start), exceed);
    EXPECT_EQ(by_port->count(key_of(1, 80), 1, 100, start), conform);
    BucketKey absent = key_of(1);
    absent.add_absent();
    EXPECT_EQ(by_port->count(absent, 1, 100, start), conform);

    const auto by_source = meters.ratelimit(2, pps(500));
    const auto any = meters.ratelimit(3, pps(500));
    RateVerdict last_any;
    for (std::int64_t n = 0; n < 300; n++)
        for (std::uint32_t source = 1; source <= 2; source++) {
            const std::int64_t at = start + n * second / 300;
            ASSERT_EQ(by_source->count(key_of(source), 1, 100, at), conform);
            last_any = any->count(BucketKey(), 1, 100, at);
        }
    EXPECT_EQ(last_any, exceed);
}

TEST_F(MetersTest, MergedPacketsCountForAll) {
    const auto limit = meters.ratelimit(1, pps(10));
    EXPECT_EQ(limit->count(key_of(1), 10, 10'000, start), conform);
    EXPECT_EQ(limit->count(key_of(1), 1, 100, start), exceed);
}

TEST_F(MetersTest, PauseOfTwoWindowsEmptiesAndTimeMayGoBack) {
    const auto limit = meters.ratelimit(1, pps(10));
    for (int n = 0; n < 11; n++)
        limit->count(key_of(1), 1, 100, start);
    EXPECT_EQ(limit->count(key_of(1), 1, 100, start - second), exceed);
    EXPECT_EQ(limit->count(key_of(1), 1, 100, start + 2 * second), conform);
    EXPECT_EQ(limit->count(key_of(1), 1, 100, start + 100'000 * second), conform);
}

TEST_F(MetersTest, FastestRatesFit) {
    RateParameters fast;
    fast.bps.rate = 1'000'000'000'000;
    const auto limit = meters.ratelimit(1, fast);
    EXPECT_EQ(limit->count(key_of(1), 1, 125'000'000'000, start), conform);
    EXPECT_EQ(limit->count(key_of(1), 1, 1, start), exceed);
}

TEST_F(MetersTest, SameIdAndParametersAreTheSameMeter) {
    auto limit = meters.ratelimit(8, pps(5));
    EXPECT_EQ(meters.ratelimit(8, pps(5)), limit);
    for (int n = 0; n < 6; n++)
        limit->count(key_of(1), 1, 1, start);
    EXPECT_EQ(limit->count(key_of(1), 1, 1, start), exceed);
    // Others do not find its buckets, nor does one that takes its place later.
    EXPECT_EQ(meters.ratelimit(9, pps(5))->count(key_of(1), 1, 1, start), conform);
    EXPECT_EQ(meters.ratelimit(8, pps(6))->count(key_of(1), 1, 1, start), conform);
    limit.reset();
    EXPECT_EQ(meters.ratelimit(8, pps(5))->count(key_of(1), 1, 1, start), conform);
    const auto rate = meters.rate(8, pps(5));
    EXPECT_EQ(meters.rate(8, pps(5)), rate);
    EXPECT_NE(meters.rate(8, pps(6)), rate);
}

TEST_F(MetersTest, RateHasOneMeterForAll) {
    const auto rate = meters.rate(1, pps(100));
    for (int n = 0; n < 100; n++)
        EXPECT_EQ(rate->count(1, 100, start + n * ms), conform);
    EXPECT_EQ(rate->count(1, 100, start + 100 * ms), exceed);
    EXPECT_EQ(rate->counts().exceed, 1U);
}

// Its rules know no `violate`.
TEST_F(MetersTest, RateOverBothBoundsExceeds) {
    RateParameters both = pps(1);
    both.bps.rate = 1000;
    both.cooldown_ms = 60'000;
    const auto rate = meters.rate(1, both);
    rate->count(1, 1000, start);
    EXPECT_EQ(rate->count(1, 1000, start), exceed);
    EXPECT_EQ(rate->count(1, 1, start + 10 * second), (RateVerdict{RateLevel::exceed, true}));
    EXPECT_EQ(rate->counts().exceed, 2U);
    EXPECT_EQ(rate->counts().violate, 0U);
}

TEST(Meters, FloodOfKeysGoesToTheSpareBucket) {
    for (const bool shared : {false, true}) {
        Meters meters(setup(1000, shared));
        const auto limit = meters.ratelimit(1, pps(5));
        RateVerdict last;
        for (std::uint32_t n = 0; n < 100'000; n++)
            last = limit->count(key_of(n), 1, 100, start + n);
        EXPECT_EQ(last, exceed);
        EXPECT_LE(meters.counts().entries, 1064U);
        EXPECT_EQ(limit->counts().buckets_full + meters.counts().entries, 100'000U);
        // Idle buckets are free to be taken.
        const std::uint64_t full = limit->counts().buckets_full;
        EXPECT_EQ(limit->count(key_of(200'000), 1, 100, start + 10 * second), conform);
        EXPECT_EQ(limit->counts().buckets_full, full);
    }
}

TEST(Meters, BucketsAreCountedForEachId) {
    for (const bool shared : {false, true}) {
        Meters meters(setup(1000, shared));
        const auto one = meters.ratelimit(1, pps(5)), two = meters.ratelimit(2, pps(5));
        for (std::uint32_t n = 0; n < 100; n++)
            one->count(key_of(n), 1, 100, start);
        for (std::uint32_t n = 0; n < 60; n++)
            two->count(key_of(n % 30), 1, 100, start);
        EXPECT_EQ(one->counts().buckets, 100U);
        EXPECT_EQ(two->counts().buckets, 30U);
        // Those of one that were idle have given way.
        for (std::uint32_t n = 1000; n < 2200; n++)
            two->count(key_of(n), 1, 100, start + 60 * second);
        EXPECT_LT(one->counts().buckets, 30U);
        EXPECT_EQ(one->counts().buckets + two->counts().buckets, meters.counts().entries);
    }
}

TEST(Meters, CoolingBucketsAreNotTaken) {
    Meters meters(setup(100));
    const auto limit = meters.ratelimit(1, pps(1, 0, 60'000));
    for (std::uint32_t n = 0; n < 100; n++)
        for (int i = 0; i < 2; i++)
            limit->count(key_of(n), 1, 100, start);
    for (std::uint32_t n = 1000; n < 2000; n++)
        limit->count(key_of(n), 1, 100, start + 30 * second);
    for (std::uint32_t n = 0; n < 100; n++)
        ASSERT_EQ(limit->count(key_of(n), 1, 100, start + 50 * second), cooling);
}

TEST(Meters, ListsBucketsWithTheirSpeed) {
    Meters meters(setup(1000));
    const auto limit = meters.ratelimit(8, pps(5));
    for (int n = 0; n < 7; n++)
        limit->count(key_of(0x0A000001), 1, 100, start);
    unsigned seen = 0;
    std::uint64_t cursor = 0;
    do
        cursor = meters.scan(cursor, start, [&](const Meters::Listed& item) {
            seen++;
            EXPECT_EQ(item.id, 8);
            EXPECT_EQ(item.address.text(), "10.0.0.1");
            EXPECT_EQ(item.pps, 7U);
            EXPECT_EQ(item.bps, 5600U);
        });
    while (cursor != 0);
    EXPECT_EQ(seen, 1U);
}

TEST(Meters, WorkersShareThem) {
    Meters meters(setup(500, true));
    const auto limit = meters.ratelimit(1, pps(1'000'000));
    const auto rate = meters.rate(1, pps(10'000));
    std::vector<std::thread> workers;
    for (std::uint32_t w = 0; w < 4; w++)
        workers.emplace_back([&, w] {
            for (std::uint32_t n = 0; n < 5000; n++) {
                limit->count(key_of(w * 5000 + n), 1, 100, start);
                rate->count(1, 100, start);
                if (n % 1000 == 0) meters.scan(0, start, [](const Meters::Listed&) {});
            }
        });
    for (std::thread& worker : workers)
        worker.join();
    EXPECT_EQ(rate->counts().exceed, 10'000U); // 20,000 in one window, exactly
}

TEST(Sample, EachNth) {
    const auto random = make_seeded_random(1);
    Sampler third(3, Sampler::How::every);
    for (int n = 1; n <= 30; n++)
        EXPECT_EQ(third.take(1, *random), n % 3 == 0) << n;
    EXPECT_TRUE(third.take(4, *random));
    Sampler by_chance(4, Sampler::How::random);
    int taken = 0;
    for (int n = 0; n < 4000; n++)
        taken += by_chance.take(1, *random) ? 1 : 0;
    EXPECT_GT(taken, 800);
    EXPECT_LT(taken, 1200);
}

TEST(Sample, ByKeyIsTheSameInEachRun) {
    unsigned taken = 0;
    for (std::uint32_t n = 0; n < 1000; n++) {
        const bool one = sample_by_key(SipKey{1, 2}, key_of(n), 2);
        EXPECT_EQ(one, sample_by_key(SipKey{1, 2}, key_of(n), 2));
        taken += one ? 1 : 0;
    }
    EXPECT_GT(taken, 400U);
    EXPECT_LT(taken, 600U);
}

} // namespace
} // namespace nfqws2::rules
