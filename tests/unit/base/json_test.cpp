#include "nfqws2/base/json.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace nfqws2 {
namespace {

std::string text_of(std::string_view value) {
    std::string out;
    JsonWriter(out).text(value);
    return out;
}

TEST(Json, ObjectsArraysAndCommas) {
    std::string out;
    JsonWriter json(out);
    json.open_object();
    json.key("a").number(18446744073709551615U);
    json.key("b").open_array();
    json.close_array();
    json.key("c").open_array();
    json.boolean(true);
    json.null();
    json.open_object();
    json.close_object();
    json.raw("");
    json.raw("1.50,2");
    json.text_or_null("");
    json.text_or_null("x");
    json.close_array();
    json.key("d").boolean(false);
    json.close_object();
    EXPECT_EQ(out,
              R"({"a":18446744073709551615,"b":[],"c":[true,null,{},1.50,2,null,"x"],"d":false})");
}

TEST(Json, Escapes) {
    EXPECT_EQ(text_of("a\"b\\c/"), R"("a\"b\\c/")");
    EXPECT_EQ(text_of("\n\r\t"), R"("\n\r\t")");
    EXPECT_EQ(text_of(std::string_view("\0\x01\x1f\x7f", 4)), R"("\u0000\u0001\u001f\u007f")");
    EXPECT_EQ(text_of(""), "\"\"");
}

TEST(Json, ValidUtf8StaysAsItIs) {
    for (const char* text : {"\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                             "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "пример"})
        EXPECT_EQ(text_of(text), "\"" + std::string(text) + "\"");
}

TEST(Json, InvalidUtf8IsEscapedByteByByte) {
    EXPECT_EQ(text_of("\x80"), R"("\u0080")");                     // continuation alone
    EXPECT_EQ(text_of("\xC0\xAF"), R"("\u00c0\u00af")");           // overlong
    EXPECT_EQ(text_of("\xC1\xBF"), R"("\u00c1\u00bf")");           // overlong
    EXPECT_EQ(text_of("\xE0\x9F\xBF"), R"("\u00e0\u009f\u00bf")"); // overlong
    EXPECT_EQ(text_of("\xED\xA0\x80"), R"("\u00ed\u00a0\u0080")"); // surrogate
    EXPECT_EQ(text_of("\xF0\x8F\xBF\xBF"), R"("\u00f0\u008f\u00bf\u00bf")");
    EXPECT_EQ(text_of("\xF4\x90\x80\x80"), R"("\u00f4\u0090\u0080\u0080")");
    EXPECT_EQ(text_of("\xF5\x80\x80\x80"), R"("\u00f5\u0080\u0080\u0080")");
    EXPECT_EQ(text_of("\xFF"), R"("\u00ff")");
    EXPECT_EQ(text_of("\xE2\x82"), R"("\u00e2\u0082")"); // ends too early
    EXPECT_EQ(text_of("\xE2\x82z"), R"("\u00e2\u0082z")");
    EXPECT_EQ(text_of("\xC3\xC3\xA9"), "\"\\u00c3\xC3\xA9\"");
}

TEST(Json, EveryPairOfBytesParses) {
    for (int i = 0; i < 65536; i++) {
        const char pair[] = {static_cast<char>(i >> 8), static_cast<char>(i & 255)};
        const auto parsed = nlohmann::json::parse(text_of({pair, 2}), nullptr, false);
        ASSERT_TRUE(parsed.is_string()) << i;
    }
}

} // namespace
} // namespace nfqws2
