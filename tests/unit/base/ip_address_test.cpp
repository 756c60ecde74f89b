#include "nfqws2/base/ip_address.hpp"

#include <gtest/gtest.h>

namespace nfqws2 {
namespace {

TEST(IpAddress, ParsesAndPrintsBothFamilies) {
    const auto v4 = IpAddress::parse("192.0.2.10");
    ASSERT_TRUE(v4);
    EXPECT_EQ(v4->version, 4);
    EXPECT_EQ(v4->bytes().size(), 4U);
    EXPECT_EQ(v4->raw[3], 10);
    EXPECT_EQ(v4->raw[4], 0);
    EXPECT_EQ(v4->text(), "192.0.2.10");

    const auto v6 = IpAddress::parse("2001:DB8:0:0::1");
    ASSERT_TRUE(v6);
    EXPECT_EQ(v6->version, 6);
    EXPECT_EQ(v6->bytes().size(), 16U);
    EXPECT_EQ(v6->text(), "2001:db8::1");
    EXPECT_EQ(IpAddress::parse("::ffff:1.2.3.4")->text(), "::ffff:1.2.3.4");
}

TEST(IpAddress, RefusesEverythingElse) {
    for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", " 1.2.3.4",
                            "01.2.3.4a", "fe80::1%eth0", "1::2::3", "[::1]", "name",
                            "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"})
        EXPECT_FALSE(IpAddress::parse(bad)) << bad;
    EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)));
}

TEST(IpAddress, ComparesAndDescribesNone) {
    const std::uint8_t raw[16] = {1, 2, 3, 4};
    EXPECT_EQ(IpAddress::v4(raw), *IpAddress::parse("1.2.3.4"));
    EXPECT_NE(IpAddress::v4(raw), IpAddress::v6(raw));
    const IpAddress none;
    EXPECT_TRUE(none.empty());
    EXPECT_TRUE(none.bytes().empty());
    EXPECT_EQ(none.text(), "");
}

} // namespace
} // namespace nfqws2
