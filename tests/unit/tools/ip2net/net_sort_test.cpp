#include "tools/ip2net/net_sort.hpp"

#include <gtest/gtest.h>

#include <random>

namespace nfqws2::tools {
namespace {

template <class Key> void expect_sorts(std::vector<Key> keys) {
    std::vector<Key> expected = keys;
    std::sort(expected.begin(), expected.end());
    expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
    sort_unique(keys);
    EXPECT_EQ(keys, expected);
}

TEST(NetSort, Ipv4) {
    std::mt19937 random(1);
    expect_sorts<Ipv4Key>({});
    expect_sorts<Ipv4Key>({{5}});
    expect_sorts<Ipv4Key>({{5}, {5}, {1}});
    for (const std::uint32_t mask : {0xFFFFFFFFU, 0xFFU, 0xFFFF0000U, 0x0F0F0F0FU, 0U}) {
        std::vector<Ipv4Key> keys;
        for (int i = 0; i < 20000; i++)
            keys.push_back({static_cast<std::uint32_t>(random()) & mask});
        expect_sorts(keys);
        std::sort(keys.begin(), keys.end(), std::greater<>());
        expect_sorts(keys);
    }
}

TEST(NetSort, Ipv6) {
    std::mt19937_64 random(2);
    for (const std::uint64_t mask : {UINT64_MAX, std::uint64_t{0xFF}, std::uint64_t{0xFFFF000}}) {
        std::vector<Ipv6Key> keys;
        for (int i = 0; i < 20000; i++)
            keys.push_back({0x20010DB800000000 | (random() & 3), random() & mask});
        expect_sorts(keys);
    }
}

} // namespace
} // namespace nfqws2::tools
