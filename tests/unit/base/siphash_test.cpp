#include "nfqws2/base/siphash.hpp"

#include "nfqws2/base/text.hpp"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <string>
#include <vector>

namespace nfqws2 {
namespace {

// Key 00..0f, message 00..(n-1): the published vectors of SipHash-2-4.
constexpr SipKey published{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};

std::vector<std::uint8_t> counting(std::size_t n) {
    std::vector<std::uint8_t> v(n);
    std::iota(v.begin(), v.end(), std::uint8_t{0});
    return v;
}

std::string wide_text(std::size_t size) {
    const Hash128 h = siphash128(published, counting(size));
    std::array<std::uint8_t, 16> out;
    for (std::size_t i = 0; i < 8; ++i) {
        out[i] = static_cast<std::uint8_t>(h.first >> (8 * i));
        out[8 + i] = static_cast<std::uint8_t>(h.second >> (8 * i));
    }
    return to_hex(out);
}

TEST(SipHash, PublishedVectors) {
    EXPECT_EQ((siphash<2, 4>(published, counting(0))), 0x726fdb47dd0e0e31U);
    EXPECT_EQ((siphash<2, 4>(published, counting(1))), 0x74f839c593dc67fdU);
    EXPECT_EQ((siphash<2, 4>(published, counting(8))), 0x93f5f5799a932462U);
    EXPECT_EQ((siphash<2, 4>(published, counting(15))), 0xa129ca6149be45e5U);
}

TEST(SipHash, PublishedVectorsOf128Bits) {
    EXPECT_EQ(wide_text(0), "a3817f04ba25a8e66df67214c7550293");
    EXPECT_EQ(wide_text(1), "da87c1d86b99af44347659119b22fc45");
    EXPECT_EQ(wide_text(8), "3b62a9ba6258f5610f83e264f31497b4");
    EXPECT_EQ(wide_text(15), "5493e99933b0a8117e08ec0f97cfc3d9");
}

TEST(SipHash, KeyAndEveryByteCount) {
    const SipKey a{1, 2}, b{1, 3};
    const std::vector<std::uint8_t> text = counting(40);
    EXPECT_NE(table_hash(a, text), table_hash(b, text));
    EXPECT_NE(siphash128(a, text), siphash128(b, text));
    for (std::size_t i = 0; i < text.size(); i++) {
        std::vector<std::uint8_t> other = text;
        other[i] ^= 1;
        EXPECT_NE((siphash<1, 3>(a, text)), (siphash<1, 3>(a, other))) << i;
    }
}

TEST(SipHash, RandomKeysDiffer) {
    const SipKey a = SipKey::random(), b = SipKey::random();
    EXPECT_TRUE(a.k0 != b.k0 && a.k1 != b.k1);
    EXPECT_EQ(&SipKey::of_process(), &SipKey::of_process());
}

} // namespace
} // namespace nfqws2
