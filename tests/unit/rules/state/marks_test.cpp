#include "nfqws2/rules/state/marks.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <thread>

namespace nfqws2::rules {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t start = 1'700'000'000 * second;

IpAddress ip(const char* text) {
    return IpAddress::parse(text).value();
}
IpAddress numbered(std::uint32_t n) {
    std::array<std::uint8_t, 4> raw;
    store_be32(raw.data(), n);
    return IpAddress::v4(raw.data());
}
TableSetup setup(std::size_t entries, bool shared = false, MemoryBudget* budget = nullptr) {
    return {entries, shared, 64, budget, SipKey{1, 2}};
}

class Marks : public ::testing::Test {
  protected:
    std::uint32_t write(MarkHow how, std::uint32_t operand = 0, std::int64_t lifetime = 0,
                        std::int64_t at = start) {
        return table.write(key, how, operand, lifetime, at);
    }
    MarkTable table{setup(1000)};
    MarkKey key = table.source(1, ip("10.0.0.1"));
};

TEST_F(Marks, EveryHow) {
    EXPECT_EQ(write(MarkHow::add, 5), 5U);
    EXPECT_EQ(write(MarkHow::add, 5), 10U);
    EXPECT_EQ(table.find(key, start).value, 10U);
    EXPECT_EQ(write(MarkHow::sub, 11), 0xFFFFFFFFU);
    EXPECT_EQ(write(MarkHow::set, 1), 1U);
    EXPECT_EQ(write(MarkHow::bit_not), 0xFFFFFFFEU);
    EXPECT_EQ(write(MarkHow::set, 0x80000000), 0x80000000U);
    EXPECT_EQ(write(MarkHow::mult, 2), 0U);
    EXPECT_EQ(write(MarkHow::inc), 1U);
    EXPECT_EQ(write(MarkHow::bit_or, 6), 7U);
    EXPECT_EQ(write(MarkHow::bit_and, 13), 5U);
    EXPECT_EQ(write(MarkHow::bit_xor, 1), 4U);
    EXPECT_EQ(write(MarkHow::div, 3), 1U);
    EXPECT_EQ(write(MarkHow::div, 0), 1U);
    EXPECT_EQ(write(MarkHow::save), 1U);
    EXPECT_EQ(write(MarkHow::restore, 9), 9U);
    const MarkKey other = table.source(2, ip("10.0.0.1"));
    EXPECT_EQ(table.write(other, MarkHow::dec, 0, 0, start), 0xFFFFFFFFU);
}

TEST_F(Marks, WordsAreThoseOfTheFile) {
    for (const char* word : {"hmark", "dhmark", "sdhmark", "connmark"})
        EXPECT_EQ(mark_word(mark_kind(word).value()), word);
    EXPECT_EQ(mark_kind("sdmark"), MarkKind::pair);
    EXPECT_FALSE(mark_kind("mark"));
    EXPECT_EQ(mark_how("not"), MarkHow::bit_not);
    EXPECT_EQ(mark_how("save"), MarkHow::save);
    EXPECT_FALSE(mark_how("bit_not"));
}

TEST_F(Marks, ExpireAndAreKeptForAnHour) {
    write(MarkHow::set, 3, 10 * second);
    EXPECT_EQ(table.find(key, start + 99 * second / 10).status, MarkStatus::valid);
    const Mark over = table.find(key, start + 10 * second);
    EXPECT_EQ(over.status, MarkStatus::expired);
    EXPECT_EQ(over.value, 3U);
    EXPECT_EQ(over.age_ns, 10 * second);
    EXPECT_EQ(table.find(key, start + 3609 * second).status, MarkStatus::expired);
    EXPECT_EQ(table.find(key, start + 3610 * second).status, MarkStatus::none);
    // An expired value counts as 0; the new lifetime replaces the old one.
    EXPECT_EQ(write(MarkHow::add, 1, 0, start + 11 * second), 1U);
    EXPECT_EQ(table.find(key, start + 1'000'000 * second).status, MarkStatus::valid);
}

TEST_F(Marks, TestsOfAgeStatusAndValue) {
    write(MarkHow::set, 3, 10 * second);
    const Mark young = table.find(key, start + 99 * second / 10);
    const Mark old = table.find(key, start + 10 * second);
    MarkTest test;
    EXPECT_TRUE(test.holds(young));
    EXPECT_FALSE(test.holds(old));
    EXPECT_FALSE(test.holds(Mark{}));
    test.age_op = AgeOp::bw;
    test.age_ns = 5 * second;
    test.age_to_ns = 15 * second;
    EXPECT_TRUE(test.holds(young));
    test.expired = true;
    EXPECT_TRUE(test.holds(old));
    test.age_op = AgeOp::eq;
    test.age_ns = 10 * second;
    EXPECT_TRUE(test.holds(old));
    EXPECT_TRUE(test.holds(table.find(key, start + 10'900'000'000))); // whole seconds
    test.age_op = AgeOp::lt;
    EXPECT_FALSE(test.holds(old));
    test.age_op = AgeOp::gt;
    EXPECT_FALSE(test.holds(old));
    EXPECT_TRUE(test.holds(table.find(key, start + 10 * second + 1)));
    test = {};
    test.any_value = false;
    test.value_from = test.value_to = 3;
    EXPECT_TRUE(test.holds(young));
    test.value_from = 4, test.value_to = 9;
    EXPECT_FALSE(test.holds(young));
}

TEST_F(Marks, AgeIsNotNegative) {
    write(MarkHow::set, 1, 10 * second);
    EXPECT_EQ(table.find(key, start - 5 * second).age_ns, 0);
    EXPECT_EQ(table.find(key, start - 5 * second).status, MarkStatus::valid);
}

TEST(MarkKeys, DirectionAndCut) {
    MarkTable table(setup(100));
    for (const auto& [a, b] :
         {std::pair{"10.0.0.1", "192.0.2.10"}, {"2001:db8::1", "2001:db8:1::10"}}) {
        const auto set = [&](const MarkKey& key) { table.write(key, MarkHow::set, 1, 0, start); };
        const auto there = [&](const MarkKey& key) {
            return table.find(key, start).status == MarkStatus::valid;
        };
        set(table.connection(1, 6, ip(a), 40000, ip(b), 443));
        EXPECT_TRUE(there(table.connection(1, 6, ip(b), 443, ip(a), 40000)));
        EXPECT_FALSE(there(table.connection(1, 17, ip(b), 443, ip(a), 40000)));
        EXPECT_FALSE(there(table.connection(1, 6, ip(b), 40000, ip(a), 443)));
        EXPECT_FALSE(there(table.connection(2, 6, ip(a), 40000, ip(b), 443)));
        set(table.pair(1, ip(a), ip(b)));
        EXPECT_TRUE(there(table.pair(1, ip(a), ip(b))));
        EXPECT_FALSE(there(table.pair(1, ip(b), ip(a))));
        set(table.source(1, ip(a)));
        EXPECT_FALSE(there(table.source(1, ip(b))));
        EXPECT_FALSE(there(table.destination(1, ip(a))));
        EXPECT_TRUE(table.erase(table.source(1, ip(a))));
        EXPECT_FALSE(table.erase(table.source(1, ip(a))));
        EXPECT_FALSE(there(table.source(1, ip(a))));
    }
    // Between two addresses that are the same the ports tell.
    const MarkKey one = table.connection(1, 6, ip("::1"), 1, ip("::1"), 2);
    EXPECT_EQ(one.data, table.connection(1, 6, ip("::1"), 2, ip("::1"), 1).data);
    EXPECT_EQ(table.source(1, ip("2001:db8::1")).data, table.source(1, ip("2001:db8::2")).data);
    EXPECT_NE(table.destination(1, ip("2001:db8::1")).data,
              table.destination(1, ip("2001:db8::2")).data);
}

TEST(MarkTable, StaysBoundedAndKeepsTheNewest) {
    for (const bool shared : {false, true}) {
        MarkTable table(setup(10'000, shared));
        constexpr std::uint32_t sources = 200'000;
        for (std::uint32_t n = 0; n < sources; n++)
            table.write(table.source(1, numbered(n)), MarkHow::set, n, 0, start + n);
        const TableCounts counts = table.counts();
        EXPECT_LE(counts.entries, 10'000U + 64);
        EXPECT_GE(counts.entries, 9'900U);
        EXPECT_EQ(counts.entries + counts.evicted, sources);
        EXPECT_LT(counts.bytes, 10'000U * 48 * 3 / 2 + (shared ? 64U * 8192 : 8192U));
        unsigned there = 0;
        for (std::uint32_t n = sources - 1000; n < sources; n++)
            if (table.find(table.source(1, numbered(n)), start + n).value == n) there++;
        EXPECT_GT(there, 990U);
    }
}

TEST(MarkTable, MakesRoomByExpiryFirst) {
    MarkTable table(setup(8));
    for (std::uint32_t n = 0; n < 8; n++)
        table.write(table.source(1, numbered(n)), MarkHow::set, n,
                    n == 3   ? second
                    : n == 5 ? 100 * second
                             : 0,
                    start + n);
    table.write(table.source(1, numbered(100)), MarkHow::set, 1, 0, start + 2 * second);
    EXPECT_EQ(table.find(table.source(1, numbered(3)), start).status, MarkStatus::none);
    EXPECT_EQ(table.counts().evicted, 0U); // it was over
    table.write(table.source(1, numbered(101)), MarkHow::set, 1, 0, start + 2 * second);
    EXPECT_EQ(table.find(table.source(1, numbered(5)), start).status, MarkStatus::none);
    table.write(table.source(1, numbered(102)), MarkHow::set, 1, 0, start + 2 * second);
    EXPECT_EQ(table.find(table.source(1, numbered(0)), start).status, MarkStatus::none);
    EXPECT_EQ(table.counts().evicted, 2U);
}

TEST(MarkTable, LeavesHalfOfTheBudgetToOthers) {
    MemoryBudget budget(2 * MemoryBudget::megabyte);
    {
        MarkTable table(setup(1'000'000, false, &budget));
        for (std::uint32_t n = 0; n < 100'000; n++)
            table.write(table.source(1, numbered(n)), MarkHow::set, n, 0, start + n);
        EXPECT_LE(budget.share(MemoryBudget::Part::rules), MemoryBudget::megabyte + 200'000);
        EXPECT_EQ(budget.share(MemoryBudget::Part::rules), table.counts().bytes);
        EXPECT_GT(table.counts().entries, 15'000U);
        EXPECT_EQ(table.refused(), 0U);
        EXPECT_EQ(table.find(table.source(1, numbered(99'999)), start).value, 99'999U);
    }
    EXPECT_EQ(budget.share(MemoryBudget::Part::rules), 0U);
}

TEST(MarkTable, LowerLimitIsReached) {
    MarkTable table(setup(10'000));
    for (std::uint32_t n = 0; n < 10'000; n++)
        table.write(table.source(1, numbered(n)), MarkHow::set, n, 0, start + n);
    table.set_limit(100);
    for (std::uint32_t n = 0; n < 12'000; n++) {
        bool written = false;
        const MarkKey key = table.source(2, numbered(n));
        table.write(key, MarkHow::set, n, 0, start + second + n, &written);
        ASSERT_TRUE(written);
        ASSERT_EQ(table.find(key, start + second).value, n);
    }
    EXPECT_LE(table.counts().entries, 100U);
}

TEST(MarkTable, ForgottenOnesGoByThemselves) {
    MarkTable table(setup(100'000));
    for (std::uint32_t n = 0; n < 1000; n++)
        table.write(table.source(1, numbered(n)), MarkHow::set, n, second, start);
    for (std::uint32_t n = 0; n < 1000; n++)
        table.write(table.source(2, numbered(n)), MarkHow::set, n, 0, start + 4000 * second);
    EXPECT_LE(table.counts().entries, 1010U);
    EXPECT_EQ(table.counts().evicted, 0U);
}

TEST(MarkTable, ListsWhatItHolds) {
    MarkTable table(setup(100'000, true));
    std::set<std::uint32_t> values;
    for (std::uint32_t n = 0; n < 5000; n++)
        table.write(table.source(1, numbered(n)), MarkHow::set, n, 0, start);
    table.write(table.connection(7, 6, ip("10.0.0.1"), 5, ip("10.0.0.2"), 6), MarkHow::set, 9000, 0,
                start);
    std::uint64_t cursor = 0;
    do
        cursor = table.scan(cursor, start, [&](const MarkTable::Listed& item) {
            values.insert(item.mark.value);
            if (item.kind == MarkKind::source) {
                EXPECT_EQ(item.a, numbered(item.mark.value));
                return;
            }
            EXPECT_EQ(item.id, 7);
            EXPECT_EQ(item.a, ip("10.0.0.1"));
            EXPECT_EQ(item.b, ip("10.0.0.2"));
            EXPECT_EQ(item.a_port, 5);
            EXPECT_EQ(item.b_port, 6);
            EXPECT_EQ(item.protocol, 6);
        });
    while (cursor != 0);
    EXPECT_EQ(values.size(), 5001U);
}

// Sums are exact whichever worker adds; meant for the thread sanitizer too.
TEST(MarkTable, WorkersShareIt) {
    MarkTable table(setup(2000, true));
    constexpr std::uint32_t threads = 4, rounds = 5000;
    std::vector<std::thread> workers;
    for (std::uint32_t w = 0; w < threads; w++)
        workers.emplace_back([&, w] {
            const MarkKey common = table.source(255, ip("192.0.2.1"));
            for (std::uint32_t n = 0; n < rounds; n++) {
                table.write(common, MarkHow::inc, 0, 0, start + n);
                table.write(table.source(1, numbered(w * rounds + n)), MarkHow::set, n, 1,
                            start + n);
                if (n % 500 == 0) table.counts();
                if (n % 700 == 0) table.scan(0, start, [](const MarkTable::Listed&) {});
            }
        });
    for (std::thread& worker : workers)
        worker.join();
    EXPECT_EQ(table.find(table.source(255, ip("192.0.2.1")), start).value, threads * rounds);
}

} // namespace
} // namespace nfqws2::rules
