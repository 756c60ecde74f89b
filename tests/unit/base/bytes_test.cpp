#include "nfqws2/base/bytes.hpp"

#include <gtest/gtest.h>

#include <array>

namespace nfqws2 {
namespace {

TEST(Bytes, LoadsBigEndian) {
    const std::array<std::uint8_t, 8> b{0x81, 0x02, 0xF3, 0x04, 0x05, 0x06, 0x07, 0x88};
    EXPECT_EQ(load_be16(b.data()), 0x8102);
    EXPECT_EQ(load_be24(b.data()), 0x8102F3U);
    EXPECT_EQ(load_be32(b.data()), 0x8102F304U);
    EXPECT_EQ(load_be64(b.data()), 0x8102F30405060788U);
}

TEST(Bytes, StoresBigEndian) {
    std::array<std::uint8_t, 9> b{};
    store_be16(b.data(), 0x8102);
    store_be24(b.data() + 2, 0xF30405);
    store_be32(b.data() + 5, 0x060788FF);
    EXPECT_EQ(b,
              (std::array<std::uint8_t, 9>{0x81, 0x02, 0xF3, 0x04, 0x05, 0x06, 0x07, 0x88, 0xFF}));
}

TEST(Bytes, ClippedNeverLeavesTheSpan) {
    const Bytes b = as_bytes("abcdef");
    EXPECT_EQ(as_text(clipped(b, 2, 2)), "cd");
    EXPECT_EQ(as_text(clipped(b, 4, 9)), "ef");
    EXPECT_EQ(as_text(clipped(b, 1)), "bcdef");
    EXPECT_TRUE(clipped(b, 6).empty());
    EXPECT_TRUE(clipped(b, SIZE_MAX, SIZE_MAX).empty());
}

} // namespace
} // namespace nfqws2
