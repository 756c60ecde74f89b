#include "nfqws2/flow/range.hpp"

#include <gtest/gtest.h>

namespace nfqws2::flow {
namespace {

Range range(RangePos from, RangePos to, bool exclusive = false) {
    return {from, to, exclusive};
}

struct Case {
    const char* text;
    std::optional<Range> expected;
};

class RangeGrammar : public ::testing::TestWithParam<Case> {};

TEST_P(RangeGrammar, Parse) {
    EXPECT_EQ(parse_range(GetParam().text), GetParam().expected);
}

constexpr RangePos always{'a', 0}, never{'x', 0};

INSTANTIATE_TEST_SUITE_P(
    Table, RangeGrammar,
    ::testing::Values(
        // the recorded ones
        Case{"-s34228", range(always, {'s', 34228})}, Case{"<n5", range(always, {'n', 5}, true)},
        Case{"n2-", range({'n', 2}, always)}, Case{"s1<d5", range({'s', 1}, {'d', 5}, true)},
        Case{"a-n5", range(always, {'n', 5})}, Case{"a<s5", range(always, {'s', 5}, true)},
        Case{"n1-x", range({'n', 1}, never)},
        // never and always
        Case{"x", Range::never()}, Case{"xyz-n5", Range::never()}, Case{"x-n5", Range::never()},
        Case{"a", Range::always()}, Case{"-", Range::always()}, Case{"a-", Range::always()},
        Case{"a-a", Range::always()}, Case{"<", range(always, always, true)},
        Case{"n2<", range({'n', 2}, always, true)},
        // every counter
        Case{"n1-d5", range({'n', 1}, {'d', 5})}, Case{"b10-b20", range({'b', 10}, {'b', 20})},
        Case{"p1-p2", range({'p', 1}, {'p', 2})}, Case{"s1-s2", range({'s', 1}, {'s', 2})},
        Case{"d1<d2", range({'d', 1}, {'d', 2}, true)},
        // '-' is looked for first, text before and behind is ignored
        Case{"n1<n5-", range({'n', 1}, always)}, Case{"n1zz-n5junk", range({'n', 1}, {'n', 5})},
        Case{"<n5-", range(always, always)}, Case{"n1zz<n5", range({'n', 1}, {'n', 5}, true)},
        Case{"n1-n5-n7", range({'n', 1}, {'n', 5})}, Case{"n1-abc", range({'n', 1}, always)},
        Case{"n1-xyz", range({'n', 1}, never)},
        // 32-bit numbers
        Case{"n0-n4294967295", range({'n', 0}, {'n', 4294967295U})},
        Case{"n1-n4294967296", std::nullopt}, Case{"n99999999999999999999-", std::nullopt},
        // errors
        Case{"n5", std::nullopt}, Case{"n-", std::nullopt}, Case{"n", std::nullopt},
        Case{"", std::nullopt}, Case{"q1-n5", std::nullopt}, Case{"n1-q5", std::nullopt},
        Case{"5-10", std::nullopt}, Case{"n1-5", std::nullopt}, Case{"n-5", std::nullopt},
        Case{"d1-n", std::nullopt}, Case{"-n", std::nullopt}, Case{"N1-", std::nullopt}));

TEST(RangeText, AsInListings) {
    EXPECT_EQ(to_text(Range::never()), "x0-x0");
    EXPECT_EQ(to_text(Range::always()), "a0-a0");
    EXPECT_EQ(to_text(parse_range("n1-d5").value()), "n1-d5");
    EXPECT_EQ(to_text(parse_range("s1<s200").value()), "s1<s200");
}

bool in(const char* text, const SidePositions* side) {
    return in_range(parse_range(text).value(), side);
}
bool beyond(const char* text, const SidePositions* side) {
    return beyond_range(parse_range(text).value(), side);
}

// Each counter with its value, just below and just above.
TEST(RangeTest, EveryCounterBothBounds) {
    SidePositions side;
    side.pcounter = 3;
    side.pdcounter = 2;
    side.pbcounter = 150;
    side.seq0 = 1000;
    side.seq = 1101;
    side.pos = 1151;
    const std::pair<char, int> values[] = {{'n', 3}, {'d', 2}, {'b', 150}, {'s', 101}, {'p', 151}};
    for (const auto& [mode, value] : values) {
        const auto at = [mode = mode, value = value](int offset) {
            return mode + std::to_string(value + offset);
        };
        EXPECT_TRUE(in((at(0) + "-").c_str(), &side)) << mode;
        EXPECT_TRUE(in((at(-1) + "-").c_str(), &side)) << mode;
        EXPECT_FALSE(in((at(1) + "-").c_str(), &side)) << mode;
        EXPECT_FALSE(beyond((at(1) + "-").c_str(), &side)) << mode; // not reached yet
        EXPECT_TRUE(in(("-" + at(0)).c_str(), &side)) << mode;
        EXPECT_FALSE(in(("<" + at(0)).c_str(), &side)) << mode;
        EXPECT_TRUE(in(("<" + at(1)).c_str(), &side)) << mode;
        EXPECT_FALSE(in(("-" + at(-1)).c_str(), &side)) << mode;
        EXPECT_FALSE(beyond(("-" + at(0)).c_str(), &side)) << mode;
        EXPECT_TRUE(beyond(("<" + at(0)).c_str(), &side)) << mode;
        EXPECT_TRUE(beyond(("-" + at(-1)).c_str(), &side)) << mode;
    }
}

TEST(RangeTest, AlwaysAndNever) {
    const SidePositions side;
    for (const SidePositions* s : {&side, static_cast<const SidePositions*>(nullptr)}) {
        EXPECT_TRUE(in("a", s));
        EXPECT_FALSE(beyond("a", s));
        EXPECT_FALSE(in("x", s));
        EXPECT_TRUE(beyond("x", s));
    }
    EXPECT_FALSE(in("n0-x", &side));
    EXPECT_TRUE(beyond("n0-x", &side));
}

TEST(RangeTest, WithoutATrackCountersAreBeyond) {
    for (const char* text : {"n1-", "-n9", "d0-d9", "s0-", "-p5", "b0-"}) {
        EXPECT_FALSE(in(text, nullptr)) << text;
        EXPECT_TRUE(beyond(text, nullptr)) << text;
    }
}

TEST(RangeTest, SequenceModesOver2GAreFalse) {
    SidePositions side;
    side.pcounter = 5;
    side.seq = side.pos = 10;
    side.rseq_over_2g = true;
    for (const char* text : {"s1-", "-s100", "p1-", "-p100"})
        EXPECT_FALSE(in(text, &side)) << text;
    EXPECT_FALSE(beyond("s1-", &side));
    EXPECT_TRUE(beyond("-s100", &side));
    EXPECT_TRUE(beyond("-p100", &side));
    EXPECT_TRUE(in("n1-n5", &side));
}

TEST(RangeTest, CountersAreCompared64BitWide) {
    SidePositions side;
    side.pbcounter = (std::uint64_t{1} << 32) + 5;
    EXPECT_TRUE(in("b10-", &side));
    EXPECT_TRUE(beyond("-b10", &side));
}

TEST(RangeTest, UdpHasNoSequence) {
    SidePositions side;
    side.pcounter = 4;
    side.pbcounter = 400;
    EXPECT_TRUE(in("s0-s0", &side));
    EXPECT_TRUE(in("-p0", &side));
    EXPECT_FALSE(in("s1-", &side));
}

} // namespace
} // namespace nfqws2::flow
