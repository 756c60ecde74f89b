#include "nfqws2/protocol/hostname.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol {
namespace {

using namespace std::string_literals;

TEST(NormaliseHost, ShortNamesStayAsTheyAre) {
    for (const char* name : {"", ":", "[", "a", "  a", " \t:", "  "}) {
        EXPECT_EQ(normalise_host(name).name, name);
        EXPECT_FALSE(normalise_host(name).is_ip);
    }
}

TEST(NormaliseHost, LeadingBlanksAreIgnored) {
    EXPECT_EQ(normalise_host(" \tab:1").name, "ab");
    EXPECT_EQ(normalise_host("  192.0.2.1").name, "192.0.2.1");
    EXPECT_TRUE(normalise_host("  192.0.2.1").is_ip);
    EXPECT_EQ(normalise_host(" [::1").name, " [::1");
}

TEST(NormaliseHost, Brackets) {
    EXPECT_EQ(normalise_host("[2001:db8::1]:80").name, "2001:db8::1");
    EXPECT_TRUE(normalise_host("[2001:db8::1]:80").is_ip);
    EXPECT_EQ(normalise_host("[]").name, "");
    EXPECT_FALSE(normalise_host("[192.0.2.1]").is_ip);
}

TEST(NormaliseHost, PortsAndAddresses) {
    EXPECT_EQ(normalise_host("p.example:443").name, "p.example");
    EXPECT_EQ(normalise_host("::1").name, "::1");
    EXPECT_TRUE(normalise_host("::1").is_ip);
    EXPECT_TRUE(normalise_host("192.0.2.9").is_ip);
    EXPECT_FALSE(normalise_host("192.0.2").is_ip);
    EXPECT_FALSE(normalise_host("192.0.2.256").is_ip);
}

struct LevelCase {
    const char* host;
    std::size_t sld, midsld, endsld;
};

TEST(SecondLevel, Table) {
    const LevelCase cases[] = {
        {"www.example.com", 4, 7, 11},
        {"a.b", 0, 1, 1},
        {"ab.c", 0, 1, 2},
        {"abc.d", 0, 1, 3},
        {"a..com", 2, 2, 2},
        {"www.example.com.", 12, 13, 15},
        {"1.2.3.4", 4, 5, 5},
        {"..", 1, 1, 1},
        {"a.example:8080", 0, 1, 1},
        {".a.com", 1, 2, 2},
    };
    for (const LevelCase& c : cases) {
        const auto level = second_level(c.host);
        ASSERT_TRUE(level.has_value()) << c.host;
        EXPECT_EQ(level->sld, c.sld) << c.host;
        EXPECT_EQ(level->midsld, c.midsld) << c.host;
        EXPECT_EQ(level->endsld, c.endsld) << c.host;
    }
    for (const char* host : {"localhost", ".com", "", "."})
        EXPECT_FALSE(second_level(host).has_value()) << host;
}

TEST(PrintableHost, RefusesWhatIsNoName) {
    EXPECT_TRUE(is_printable_host("www.example.com"));
    EXPECT_TRUE(is_printable_host("2001:db8::1"));
    for (const auto& bad : {""s, "a b"s, "a\tb"s, "a\nb"s, "a\0b"s, "a\x7f"s, "\xc3\xa9.example"s})
        EXPECT_FALSE(is_printable_host(bad)) << bad;
}

} // namespace
} // namespace nfqws2::protocol
