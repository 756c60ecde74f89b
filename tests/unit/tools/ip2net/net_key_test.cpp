#include "tools/ip2net/net_key.hpp"

#include <gtest/gtest.h>

namespace nfqws2::tools {
namespace {

TEST(NetKey, Ipv4) {
    constexpr Ipv4Key key{0x0A0B0C0D};
    EXPECT_EQ(key.byte(0), 0x0AU);
    EXPECT_EQ(key.byte(3), 0x0DU);
    EXPECT_EQ(key.with_low_bits_clear(0), key);
    EXPECT_EQ(key.with_low_bits_clear(10), Ipv4Key{0x0A0B0C00});
    EXPECT_EQ(key.with_low_bits_set(10), Ipv4Key{0x0A0B0FFF});
    EXPECT_EQ(key.with_low_bits_set(31), Ipv4Key{0x7FFFFFFF});
}

TEST(NetKey, Ipv6) {
    constexpr Ipv6Key key{0x0102030405060708, 0x090A0B0C0D0E0F10};
    EXPECT_EQ(key.byte(0), 1U);
    EXPECT_EQ(key.byte(7), 8U);
    EXPECT_EQ(key.byte(15), 16U);
    EXPECT_EQ(key.with_low_bits_clear(0), key);
    EXPECT_EQ(key.with_low_bits_set(8), (Ipv6Key{key.high, 0x090A0B0C0D0E0FFF}));
    EXPECT_EQ(key.with_low_bits_clear(64), (Ipv6Key{key.high, 0}));
    EXPECT_EQ(key.with_low_bits_set(64), (Ipv6Key{key.high, UINT64_MAX}));
    EXPECT_EQ(key.with_low_bits_clear(72), (Ipv6Key{0x0102030405060700, 0}));
    EXPECT_EQ(key.with_low_bits_set(127), (Ipv6Key{0x7FFFFFFFFFFFFFFF, UINT64_MAX}));
    EXPECT_LT((Ipv6Key{1, UINT64_MAX}), (Ipv6Key{2, 0}));
}

} // namespace
} // namespace nfqws2::tools
