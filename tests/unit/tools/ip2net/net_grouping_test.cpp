// The expected results come from the algorithm of docs/contracts/tools.md#grouping, written here
// step by step over plain integers.
#include "tools/ip2net/net_grouping.hpp"

#include <gtest/gtest.h>

#include <ctime>
#include <map>
#include <random>
#include <set>
#include <vector>

namespace nfqws2::tools {
namespace {

using Net = std::pair<std::uint64_t, unsigned>; // address, prefix length

std::vector<Net> by_the_book(const std::vector<std::uint64_t>& a, unsigned width,
                             unsigned minprefix, unsigned maxprefix, std::uint64_t mul,
                             std::uint64_t div, std::uint64_t n6) {
    std::vector<Net> out;
    const bool v4 = n6 == 0;
    const unsigned zmin = width - maxprefix;
    const unsigned zmax = width - minprefix;
    std::size_t pos = 0;
    while (pos < a.size()) {
        std::uint64_t best_ct = 0;
        unsigned best_z = 0;
        std::size_t next = pos + 1;
        for (unsigned z = zmax + 1; z-- > zmin;) {
            const std::uint64_t size = std::uint64_t{1} << z;
            const std::uint64_t start = a[pos] & ~(size - 1);
            const std::uint64_t last = start | (size - 1);
            if (v4 && a[pos] > start + size * (div - mul) / div) continue;
            std::uint64_t ct = 0;
            for (std::size_t i = pos; i < a.size() && a[i] <= last; i++)
                ct++;
            if (ct == 1) break;
            if (!(v4 ? ct >= size * mul / div : ct >= n6)) continue;
            if (best_ct != 0 && ct != best_ct) break;
            best_ct = ct;
            best_z = z;
            next = pos + ct;
        }
        if (best_z != 0)
            out.emplace_back(a[pos] & ~((std::uint64_t{1} << best_z) - 1), width - best_z);
        else
            out.emplace_back(a[pos], width);
        pos = next;
    }
    return out;
}

unsigned below(std::mt19937& random, unsigned bound) {
    return static_cast<unsigned>(random() % bound);
}

std::vector<std::uint64_t> random_addresses(std::mt19937& random, unsigned bits) {
    std::set<std::uint64_t> addresses;
    const unsigned clusters = 1 + below(random, 5);
    for (unsigned c = 0; c < clusters; c++) {
        const std::uint64_t base = (random() & ((1U << bits) - 1)) & ~255U;
        const unsigned percent =
            std::vector<unsigned>{5, 30, 50, 74, 76, 90, 100}[below(random, 7)];
        for (unsigned i = 0; i < 256; i++)
            if (below(random, 100) < percent) addresses.insert(base + i);
    }
    return {addresses.begin(), addresses.end()};
}

TEST(NetGrouping, Ipv4IsTheSpecifiedAlgorithm) {
    std::mt19937 random(11);
    for (int round = 0; round < 400; round++) {
        const auto addresses = random_addresses(random, 13);
        const unsigned min = 16 + below(random, 16);
        const unsigned max = min + below(random, 32 - min);
        const std::uint32_t div = 2 + below(random, 9);
        const std::uint32_t mul = 1 + below(random, div - 1);
        std::vector<Ipv4Key> keys;
        keys.reserve(addresses.size());
        for (const std::uint64_t a : addresses)
            keys.push_back({static_cast<std::uint32_t>(a)});
        std::vector<Net> got;
        NetGrouper<FillRule>(keys, {mul, div}, {min, max}).run([&](Ipv4Key key, unsigned prefix) {
            got.emplace_back(key.value, prefix);
        });
        ASSERT_EQ(got, by_the_book(addresses, 32, min, max, mul, div, 0))
            << min << '-' << max << ' ' << mul << '/' << div;
    }
}

TEST(NetGrouping, Ipv6IsTheSpecifiedAlgorithm) {
    std::mt19937 random(12);
    for (int round = 0; round < 300; round++) {
        const auto addresses = random_addresses(random, 14);
        const unsigned low_min = 48 + below(random, 16); // within the low 64 bits
        const unsigned low_max = low_min + below(random, 64 - low_min);
        const std::uint32_t count = 1 + below(random, 40);
        for (const bool in_high_word : {false, true}) {
            std::vector<Ipv6Key> keys;
            keys.reserve(addresses.size());
            for (const std::uint64_t a : addresses)
                keys.push_back(in_high_word ? Ipv6Key{a, 0} : Ipv6Key{7, a});
            const PrefixRange range = in_high_word ? PrefixRange{low_min, low_max}
                                                   : PrefixRange{64 + low_min, 64 + low_max};
            std::vector<Net> got;
            NetGrouper<CountRule>(keys, {count}, range).run([&](Ipv6Key key, unsigned prefix) {
                const unsigned shift = in_high_word ? 0 : 64;
                const bool single = prefix == 128;
                got.emplace_back(in_high_word ? key.high : key.low, single ? 64 : prefix - shift);
            });
            ASSERT_EQ(got, by_the_book(addresses, 64, low_min, low_max, 0, 1, count));
        }
    }
}

TEST(NetGrouping, ExtremePrefixesDoNotOverflow) {
    std::vector<Net> got;
    const std::vector<Ipv4Key> keys{{0}, {1}, {0x7FFFFFFF}, {0xFFFFFFFE}, {0xFFFFFFFF}};
    NetGrouper<FillRule>(keys, {4294967294U, 4294967295U}, {1, 31}).run([&](Ipv4Key k, unsigned p) {
        got.emplace_back(k.value, p);
    });
    // 2 * (2^32-2) / (2^32-1) is 1, but one address alone never makes a network.
    EXPECT_EQ(got, (std::vector<Net>{{0, 31}, {0x7FFFFFFF, 32}, {0xFFFFFFFE, 31}}));

    std::size_t count = 0;
    const std::vector<Ipv6Key> keys6{{0, 0}, {0, 1}, {UINT64_MAX, 0}, {UINT64_MAX, UINT64_MAX}};
    NetGrouper<CountRule>(keys6, {2}, {1, 127}).run([&](const Ipv6Key& k, unsigned p) {
        EXPECT_EQ(k, count == 0 ? (Ipv6Key{0, 0}) : (Ipv6Key{UINT64_MAX, 0}));
        EXPECT_EQ(p, count == 0 ? 127U : 64U);
        count++;
    });
    EXPECT_EQ(count, 2U);
}

// Where the wide networks just miss the rule a rescan at every address takes minutes.
TEST(NetGrouping, HalfFilledNetworksTakeLinearTime) {
    std::mt19937 random(13);
    std::vector<Ipv4Key> keys;
    for (std::uint32_t i = 0; i < (1U << 20); i++)
        if (below(random, 2) == 0) keys.push_back({0x0A000000 + i});
    const std::clock_t start = std::clock(); // others may have the processor too
    std::map<unsigned, std::size_t> narrow;
    std::map<unsigned, std::size_t> wide;
    NetGrouper<FillRule>(keys, {}, {22, 30}).run([&](Ipv4Key, unsigned p) { narrow[p]++; });
    NetGrouper<FillRule>(keys, {}, {1, 30}).run([&](Ipv4Key, unsigned p) { wide[p]++; });
    EXPECT_EQ(narrow, wide);
    EXPECT_LT(std::clock() - start, 10 * CLOCKS_PER_SEC);
}

} // namespace
} // namespace nfqws2::tools
