#include "tools/ip2net/net_text.hpp"

#include "nfqws2/base/bytes.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cstring>
#include <random>
#include <string>

namespace nfqws2::tools {
namespace {

std::optional<Ipv4Key> whole_ipv4(std::string_view text) {
    auto key = take_ipv4(text);
    return text.empty() ? key : std::nullopt;
}

std::string text_of(Ipv4Key key) {
    char buffer[16];
    return {buffer, write_ipv4(buffer, key)};
}

std::string text_of(Ipv6Key key) {
    char buffer[46];
    return {buffer, write_ipv6(buffer, key)};
}

TEST(NetText, Ipv4) {
    EXPECT_EQ(whole_ipv4("1.2.3.4"), Ipv4Key{0x01020304});
    EXPECT_EQ(whole_ipv4("01.02.003.0004"), Ipv4Key{0x01020304});
    EXPECT_EQ(whole_ipv4("255.255.255.255"), Ipv4Key{0xFFFFFFFF});
    for (const char* bad : {"", "1", "1.2.3", "1.2.3.", "256.1.1.1", "1.2.3.256", ".1.2.3",
                            "1..2.3", "a.b.c.d", "1.2.3.4294967297", "-1.2.3.4", "1 .2.3.4"})
        EXPECT_FALSE(whole_ipv4(bad)) << bad;
    std::string_view rest = "1.2.3.10.11";
    EXPECT_EQ(take_ipv4(rest), Ipv4Key{0x0102030A});
    EXPECT_EQ(rest, ".11");
    for (const char* same : {"0.0.0.0", "1.10.100.255", "9.99.199.200"})
        EXPECT_EQ(text_of(*whole_ipv4(same)), same);
}

TEST(NetText, Ipv6AcceptsWhatTheLibraryAccepts) {
    for (const std::string text :
         {"::", "::1", "1::", "2001:db8::1", "2001:DB8::A", "1:2:3:4:5:6:7:8",
          "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::3:4:5:6:7:8", "::ffff:1.2.3.4", "::1.2.3.4",
          "1:2:3:4:5:6:1.2.3.4", "0001:0002::0003",
          // and refuses what it refuses
          "", ":", ":::", "1", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:", "1:2:3:4:5:6:7:8::",
          "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "1.2.3.4", "fe80::1%lo", " ::1", "::1 ",
          "1:2:3:4:5:6:7::8", "1:2:3:4:5:6:7:1.2.3.4", "1:::2"}) {
        std::uint8_t raw[16];
        const bool good = inet_pton(AF_INET6, text.c_str(), raw) == 1;
        const auto key = parse_ipv6(text);
        ASSERT_EQ(key.has_value(), good) << text;
        if (good) {
            EXPECT_EQ(*key, (Ipv6Key{load_be64(raw), load_be64(raw + 8)})) << text;
        }
    }
    EXPECT_FALSE(parse_ipv6(std::string_view("::1\0", 4)));
    EXPECT_FALSE(parse_ipv6(std::string(300, '1')));
    EXPECT_FALSE(parse_ipv6(std::string_view())); // no memory behind it
}

// Many zero groups and short groups, where the rules of shortening lie.
TEST(NetText, Ipv6TextIsTheLibrarysBothWays) {
    std::mt19937 random(7);
    for (int i = 0; i < 100000; i++) {
        std::uint8_t raw[16];
        for (int g = 0; g < 8; g++) {
            const unsigned kind = random() % 4;
            raw[2 * g] = kind < 2 ? 0 : static_cast<std::uint8_t>(random());
            raw[2 * g + 1] = kind == 0 ? 0 : static_cast<std::uint8_t>(random());
        }
        char expected[INET6_ADDRSTRLEN];
        ASSERT_NE(inet_ntop(AF_INET6, raw, expected, sizeof(expected)), nullptr);
        const Ipv6Key key{load_be64(raw), load_be64(raw + 8)};
        ASSERT_EQ(text_of(key), expected);
        ASSERT_EQ(parse_ipv6(expected), key) << expected;
    }
    EXPECT_EQ(text_of(Ipv6Key{0, 0xFFFF01020304}), "::ffff:1.2.3.4");
}

} // namespace
} // namespace nfqws2::tools
