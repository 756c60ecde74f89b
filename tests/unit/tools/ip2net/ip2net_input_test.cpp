#include "tools/ip2net/ip2net_input.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nfqws2::tools {
namespace {

std::string joined(std::string_view left, std::uint64_t number) {
    std::string out(left);
    out += std::to_string(number);
    return out;
}

std::string v4(std::string_view line) {
    char text[max_printed_ipv4];
    unsigned size = 0;
    Ipv4Key key;
    switch (read_ipv4_line(line, key, text, size)) {
    case LineUse::dropped:
        return "dropped";
    case LineUse::collected:
        return joined("collected ", key.value);
    case LineUse::printed:
        return {text, size};
    }
    return "?";
}

TEST(Ip2netInput, Ipv4) {
    const std::string single = "collected 16909060"; // 1.2.3.4
    EXPECT_EQ(v4("1.2.3.4"), single);
    EXPECT_EQ(v4(" \t1.2.3.4"), single);
    EXPECT_EQ(v4("1.2.3.4/32"), single);
    EXPECT_EQ(v4("1.2.3.4 junk"), single);
    EXPECT_EQ(v4("1.2.3.4/abc"), single);
    EXPECT_EQ(v4("1.2.3.4/"), single);
    EXPECT_EQ(v4("1.2.3.4-"), single);
    EXPECT_EQ(v4("1.2.3.4-1.2.3.300"), single);
    EXPECT_EQ(v4("1.2.3.4-1.2.3"), single);
    EXPECT_EQ(v4("1.2.3.4.5"), single);
    EXPECT_EQ(v4("1.2.3.4/0"), "1.2.3.4/0");
    EXPECT_EQ(v4("01.02.03.04/024"), "1.2.3.4/24");
    EXPECT_EQ(v4("1.2.3.4/31junk"), "1.2.3.4/31");
    EXPECT_EQ(v4("01.2.3.4-1.2.3.09"), "1.2.3.4-1.2.3.9");
    EXPECT_EQ(v4("9.9.9.9-1.1.1.1"), "9.9.9.9-1.1.1.1");
    EXPECT_EQ(v4("255.255.255.254-255.255.255.255 x"), "255.255.255.254-255.255.255.255");
    for (const char* bad : {"", "   ", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/99999999999",
                            "256.1.1.1", "1.2.3", "foo", "::1", "-1.2.3.4"})
        EXPECT_EQ(v4(bad), "dropped") << bad;
}

std::string v6(std::string_view line) {
    const Ipv6Line read = read_ipv6_line(line);
    switch (read.use) {
    case LineUse::dropped:
        return "dropped";
    case LineUse::collected:
        return joined("collected ", read.key.low);
    case LineUse::printed:
        if (!read.has_mask) return std::string(read.printed);
        return joined(std::string(read.printed) + '/', read.mask);
    }
    return "?";
}

TEST(Ip2netInput, Ipv6) {
    EXPECT_EQ(v6("::5"), "collected 5");
    EXPECT_EQ(v6("::5/128"), "collected 5");
    EXPECT_EQ(v6("::5/x"), "collected 5");
    EXPECT_EQ(v6("::5/"), "collected 5");
    EXPECT_EQ(v6("2001:DB8::1/64"), "2001:DB8::1/64");
    EXPECT_EQ(v6("2001:DB8::1/064junk"), "2001:DB8::1/64");
    EXPECT_EQ(v6("::/0"), "::/0");
    EXPECT_EQ(v6("2001:DB8::1-2001:db8::0005"), "2001:DB8::1-2001:db8::0005");
    for (const char* bad : {"", " ::1", "1.2.3.4", "::1/129", "::1/-1", "::3-zz", "::3-", "zz-::3",
                            "1::2::3", "::1-::2/64"})
        EXPECT_EQ(v6(bad), "dropped") << bad;
}

} // namespace
} // namespace nfqws2::tools
