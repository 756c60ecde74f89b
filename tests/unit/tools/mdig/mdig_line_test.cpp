#include "tools/mdig/mdig_line.hpp"

#include <gtest/gtest.h>

namespace nfqws2::tools {
namespace {

constexpr Families only4{true, false};
constexpr Families only6{false, true};
constexpr Families both{true, true};

std::string what(std::string_view line, Families families) {
    const MdigLine got = classify_line(line, families);
    switch (got.kind) {
    case LineKind::empty:
        return "empty";
    case LineKind::literal: {
        std::string out(got.address);
        if (got.mask) out += '/' + std::to_string(*got.mask);
        return out;
    }
    case LineKind::wrong_family:
        return "wrong family";
    case LineKind::bad_subnet:
        return "bad subnet";
    case LineKind::domain:
        return "domain";
    case LineKind::invalid:
        return "invalid";
    }
    return "?";
}

TEST(MdigLine, Ipv4Literals) {
    EXPECT_EQ(what("10.0.0.5", only4), "10.0.0.5");
    EXPECT_EQ(what("10.0.0.0/8", only4), "10.0.0.0/8");
    EXPECT_EQ(what("10.0.0.1/32", only4), "10.0.0.1");
    EXPECT_EQ(what("10.0.0.1/0", both), "10.0.0.1/0");
    EXPECT_EQ(what("10.1.1.1/24junk", only4), "10.1.1.1/24");
    EXPECT_EQ(what("10.0.0.1/33", only4), "bad subnet");
    EXPECT_EQ(what("10.0.0.1/x", only4), "bad subnet");
    EXPECT_EQ(what("10.0.0.1/", only4), "bad subnet");
    EXPECT_EQ(what("10.0.0.1/-1", only4), "bad subnet");
    EXPECT_EQ(what("10.0.0.1", only6), "wrong family");
    EXPECT_EQ(what("10.0.0.1/33", only6), "wrong family");
}

TEST(MdigLine, Ipv6Literals) {
    EXPECT_EQ(what("::1", both), "::1");
    EXPECT_EQ(what("::1/64", both), "::1/64");
    EXPECT_EQ(what("::1/128", both), "::1");
    EXPECT_EQ(what("::1/129", both), "bad subnet");
    EXPECT_EQ(what("2001:DB8:0::5", only6), "2001:DB8:0::5");
    EXPECT_EQ(what("::ffff:1.2.3.4", both), "::ffff:1.2.3.4");
    EXPECT_EQ(what("fe80::", only6), "fe80::");
    EXPECT_EQ(what("::1", only4), "wrong family");
}

TEST(MdigLine, Domains) {
    for (const char* good : {"a.test", "a.test.", "A-b_c.test", "x", "localhost", "1", "1.2.3",
                             "1.2.3.4.5", "256.1.1.1", "xn--p1ai", "-a", "a7"})
        EXPECT_EQ(what(good, only4), "domain") << good;
    for (const char* bad : {" a.test", "a test", ".a", "a..b", ".", "bad!", "a.test/24", "a:b",
                            "fe80::1%lo", "\xD1\x8F.test", "/", "/24"})
        EXPECT_EQ(what(bad, only4), "invalid") << bad;
    EXPECT_EQ(what(std::string(63, 'a') + ".test", only4), "domain");
    EXPECT_EQ(what(std::string(64, 'a') + ".test", only4), "invalid");
    EXPECT_EQ(what(std::string_view("a\0b", 3), only4), "invalid");
    EXPECT_EQ(what("", only4), "empty");
}

TEST(MdigLine, Printable) {
    EXPECT_EQ(printable("bad!"), "bad!");
    EXPECT_EQ(printable("a\x01\x1F\x7F\xD1\x8F~ z"), "a?????~ z");
    EXPECT_EQ(printable(std::string(65, 'a')), std::string(64, 'a'));
}

} // namespace
} // namespace nfqws2::tools
