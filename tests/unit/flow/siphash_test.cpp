#include "nfqws2/flow/siphash.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace nfqws2::flow {
namespace {

std::vector<std::uint8_t> counting(std::size_t n) {
    std::vector<std::uint8_t> v(n);
    std::iota(v.begin(), v.end(), std::uint8_t{0});
    return v;
}

// Key 00..0f, message 00..(n-1): the published vectors of SipHash-2-4.
TEST(SipHash, PublishedVectors) {
    const SipKey key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
    EXPECT_EQ((siphash<2, 4>(key, counting(0))), 0x726fdb47dd0e0e31U);
    EXPECT_EQ((siphash<2, 4>(key, counting(1))), 0x74f839c593dc67fdU);
    EXPECT_EQ((siphash<2, 4>(key, counting(8))), 0x93f5f5799a932462U);
    EXPECT_EQ((siphash<2, 4>(key, counting(15))), 0xa129ca6149be45e5U);
}

TEST(SipHash, KeyAndEveryByteCount) {
    const SipKey a{1, 2}, b{1, 3};
    const std::vector<std::uint8_t> text = counting(40);
    EXPECT_NE(table_hash(a, text), table_hash(b, text));
    for (std::size_t i = 0; i < text.size(); i++) {
        std::vector<std::uint8_t> other = text;
        other[i] ^= 1;
        EXPECT_NE((siphash<1, 3>(a, text)), (siphash<1, 3>(a, other))) << i;
    }
}

TEST(SipHash, RandomKeysDiffer) {
    const SipKey a = SipKey::random(), b = SipKey::random();
    EXPECT_TRUE(a.k0 != b.k0 && a.k1 != b.k1);
}

} // namespace
} // namespace nfqws2::flow
