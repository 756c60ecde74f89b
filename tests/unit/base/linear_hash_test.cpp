#include "nfqws2/base/linear_hash.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace nfqws2 {
namespace {

struct Node {
    std::uint32_t hash = 0, chain = 0;
};
struct NodeAt {
    std::vector<Node>* nodes;
    Node& operator()(std::uint32_t i) const { return (*nodes)[i]; }
    void prefetch(std::uint32_t) const {}
};

class LinearHashTest : public ::testing::Test {
  protected:
    std::uint32_t find(std::uint32_t i) {
        return table.find(nodes[i].hash, [&](std::uint32_t x) { return x == i; });
    }

    std::vector<Node> nodes = std::vector<Node>(100'000);
    LinearHash<NodeAt> table{NodeAt{&nodes}};
};

TEST_F(LinearHashTest, GrowsAndShrinksByFewBucketsPerStep) {
    std::mt19937 random(1);
    for (std::uint32_t i = 0; i < nodes.size(); i++) {
        nodes[i].hash = static_cast<std::uint32_t>(random());
        const std::size_t before = table.buckets();
        table.insert(i);
        ASSERT_LE(table.buckets() - before, 2U);
    }
    EXPECT_EQ(table.size(), nodes.size());
    EXPECT_EQ(table.buckets(), 2 * nodes.size());
    for (std::uint32_t i = 0; i < nodes.size(); i++)
        ASSERT_EQ(find(i), i);
    for (std::uint32_t i = 0; i < nodes.size(); i++) {
        const std::size_t before = table.buckets();
        table.erase(i);
        ASSERT_LE(before - table.buckets(), 4U);
        ASSERT_EQ(find(i), table.not_found);
        for (std::uint32_t k = i + 1; i % 1000 == 0 && k < nodes.size(); k += 997)
            ASSERT_EQ(find(k), k);
    }
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(table.buckets(), 1024U);
}

TEST_F(LinearHashTest, EqualHashesAreToldApart) {
    for (std::uint32_t i = 0; i < 2000; i++) {
        nodes[i].hash = 0xABCD;
        table.insert(i);
    }
    for (std::uint32_t i = 0; i < 2000; i++)
        ASSERT_EQ(find(i), i);
    table.erase(1000);
    EXPECT_EQ(find(1000), table.not_found);
    EXPECT_EQ(find(999), 999U);
    EXPECT_EQ(find(1001), 1001U);
}

TEST_F(LinearHashTest, RandomLoadAgainstSet) {
    std::mt19937 random(2);
    std::set<std::uint32_t> live;
    for (int step = 0; step < 300'000; step++) {
        const auto i = static_cast<std::uint32_t>(random() % 20'000);
        if (live.erase(i) != 0) {
            table.erase(i);
        } else {
            nodes[i].hash = static_cast<std::uint32_t>(random());
            table.insert(i);
            live.insert(i);
        }
    }
    std::set<std::uint32_t> visited;
    table.for_each([&](std::uint32_t i) { visited.insert(i); });
    EXPECT_EQ(visited, live);
    EXPECT_EQ(table.size(), live.size());
}

TEST_F(LinearHashTest, AScanVisitsEveryNodeOnce) {
    std::mt19937 random(3);
    for (const std::uint32_t count : {0U, 1U, 700U, 5000U, 40'000U}) {
        for (auto i = static_cast<std::uint32_t>(table.size()); i < count; i++) {
            nodes[i].hash = static_cast<std::uint32_t>(random());
            table.insert(i);
        }
        std::vector<unsigned> visits(count);
        std::uint32_t cursor = 0;
        do
            cursor = table.scan(cursor, [&](std::uint32_t i) { visits[i]++; });
        while (cursor != 0);
        EXPECT_EQ(visits, std::vector<unsigned>(count, 1)) << count;
    }
}

// Whatever comes and goes between its parts.
TEST_F(LinearHashTest, AScanMissesNoNodeThatStays) {
    std::mt19937 random(4);
    for (const bool grows : {true, false}) {
        const std::uint32_t stay = 3000, others = 60'000;
        LinearHash<NodeAt> changing{NodeAt{&nodes}};
        for (std::uint32_t i = 0; i < stay + others; i++)
            nodes[i].hash = static_cast<std::uint32_t>(random());
        for (std::uint32_t i = 0; i < (grows ? stay : stay + others); i++)
            changing.insert(i);
        std::vector<unsigned> visits(stay + others);
        std::uint32_t cursor = 0, next = stay;
        do {
            cursor = changing.scan(cursor, [&](std::uint32_t i) { visits[i]++; });
            for (int k = 0; k < 40 && next < stay + others; k++, next++)
                grows ? changing.insert(next) : changing.erase(next);
        } while (cursor != 0);
        EXPECT_EQ(next, stay + others);
        for (std::uint32_t i = 0; i < stay; i++) {
            ASSERT_GE(visits[i], 1U) << i;
            ASSERT_LE(visits[i], grows ? 1U : 6U) << i;
        }
    }
}

} // namespace
} // namespace nfqws2
