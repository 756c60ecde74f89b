#include "nfqws2/base/text.hpp"

#include <gtest/gtest.h>

namespace nfqws2 {
namespace {

TEST(Hex, BothWays) {
    const std::vector<std::uint8_t> raw{0x00, 0xAB, 0x7F, 0xFF};
    EXPECT_EQ(to_hex(raw), "00ab7fff");
    EXPECT_EQ(from_hex("00Ab7fFF"), raw);
    EXPECT_EQ(from_hex(""), std::vector<std::uint8_t>{});
    for (const char* bad : {"0", "0g", "abc", "0x12", " 12", "1 "})
        EXPECT_FALSE(from_hex(bad)) << bad;
}

TEST(ParseUint, OnlyPlainDecimals) {
    EXPECT_EQ(parse_uint("0"), 0U);
    EXPECT_EQ(parse_uint("0080"), 80U);
    EXPECT_EQ(parse_uint("18446744073709551615"), UINT64_MAX);
    EXPECT_EQ(parse_uint("65535", 65535), 65535U);
    EXPECT_FALSE(parse_uint("65536", 65535));
    for (const char* bad : {"", " 1", "1 ", "+1", "-1", "1x", "0x1", "18446744073709551616",
                            "99999999999999999999999"})
        EXPECT_FALSE(parse_uint(bad)) << bad;
}

TEST(Split, KeepsEmptyItems) {
    using Items = std::vector<std::string_view>;
    EXPECT_EQ(split("a,b", ','), (Items{"a", "b"}));
    EXPECT_EQ(split(",a,,", ','), (Items{"", "a", "", ""}));
    EXPECT_EQ(split("", ','), (Items{""}));
}

TEST(AsciiLower, LeavesOtherBytesAlone) {
    EXPECT_EQ(ascii_lower(std::string_view("AbZ-[@\xC0")), "abz-[@\xC0");
    EXPECT_EQ(ascii_lower('Q'), 'q');
    EXPECT_EQ(printable("a\nb\x1b[2J\x7F\xC0"), "a?b?[2J?\xC0");
}

TEST(IsIdentifier, Rules) {
    for (const char* good : {"a", "_", "_a1", "Zz_9"})
        EXPECT_TRUE(is_identifier(good)) << good;
    for (const char* bad : {"", "1a", "a-b", "a b", "a.b", "\xC3\xA4"})
        EXPECT_FALSE(is_identifier(bad)) << bad;
}

TEST(Nearest, FindsTypingMistakesOnly) {
    const std::vector<std::string_view> known{"fake", "multisplit", "multidisorder",
                                              "hostfakesplit"};
    EXPECT_EQ(nearest("multisplt", known), "multisplit");
    EXPECT_EQ(nearest("mutlisplit", known), "multisplit");
    EXPECT_EQ(nearest("fkae", known), "fake");
    EXPECT_EQ(nearest("MULTIDISORDER", known), "multidisorder");
    EXPECT_EQ(nearest("zzzz", known), "");
    EXPECT_EQ(nearest("", known), "");
    EXPECT_EQ(nearest("x", {"y"}), "");
}

TEST(Format, AnyLength) {
    EXPECT_EQ(format("%u-%s", 5U, "x"), "5-x");
    EXPECT_EQ(format("%s", ""), "");
    const std::string longer(10000, 'q');
    EXPECT_EQ(format("%s!", longer.c_str()), longer + "!");
}

TEST(Decimal, AllowsBlanksAndAPlus) {
    EXPECT_EQ(decimal("5", 10), 5U);
    EXPECT_EQ(decimal(" +010", 10), 10U);
    EXPECT_EQ(decimal("\n5", 10), 5U);
    for (const char* bad :
         {"", " ", "-1", "5x", "x", "0x5", "11", "99999999999999999999999", "+", "5 "})
        EXPECT_EQ(decimal(bad, 10), std::nullopt) << bad;
}

TEST(Text, MarksOfEncodings) {
    EXPECT_EQ(without_byte_order_mark("\xEF\xBB\xBF# a"), "# a");
    EXPECT_EQ(without_byte_order_mark("\xEF\xBB"), "\xEF\xBB");
    EXPECT_EQ(without_byte_order_mark("a\xEF\xBB\xBF"), "a\xEF\xBB\xBF");
    EXPECT_TRUE(is_utf16("\xFF\xFE#"));
    EXPECT_TRUE(is_utf16("\xFE\xFF"));
    EXPECT_FALSE(is_utf16("\xFF"));
    EXPECT_FALSE(is_utf16("\xEF\xBB\xBF# a"));
}

} // namespace
} // namespace nfqws2
