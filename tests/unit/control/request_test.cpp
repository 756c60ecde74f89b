#include "nfqws2/control/request.hpp"

#include <gtest/gtest.h>

namespace nfqws2::control {
namespace {

std::string flaw(std::string_view line) {
    std::string error;
    EXPECT_FALSE(parse_request(line, &error)) << line;
    return error;
}

Request parsed(std::string_view line) {
    std::string error;
    const auto request = parse_request(line, &error);
    EXPECT_TRUE(request) << line << ": " << error;
    return request.value_or(Request{});
}

TEST(Request, HasACommandAndFields) {
    const Request r =
        parsed(R"( { "cmd" : "flows", "host":"a.b","limit":-5,"held":true, "port" : null } )");
    EXPECT_EQ(r.command, "flows");
    ASSERT_EQ(r.fields.size(), 3U);
    EXPECT_EQ(*r.text("host"), "a.b");
    EXPECT_EQ(*r.number("limit"), -5);
    EXPECT_TRUE(r.flag("held"));
    EXPECT_EQ(r.text("limit"), nullptr);
    EXPECT_EQ(r.number("port"), nullptr);
    EXPECT_FALSE(r.flag("host"));
}

TEST(Request, TextsHaveEscapes) {
    const Request r =
        parsed(R"({"cmd":"x","a":"\"\\\/\b\f\n\r\t","b":"\u0041\u00e9\u20AC\ud83d\ude00"})");
    EXPECT_EQ(*r.text("a"), "\"\\/\b\f\n\r\t");
    EXPECT_EQ(*r.text("b"), "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
}

TEST(Request, SaysWhatIsWrong) {
    EXPECT_EQ(flaw(""), "a request is a JSON object");
    EXPECT_EQ(flaw("[1]"), "a request is a JSON object");
    EXPECT_EQ(flaw("{}"), "there is no \"cmd\"");
    EXPECT_EQ(flaw(R"({"cmd":""})"), "\"cmd\" is no text");
    EXPECT_EQ(flaw(R"({"cmd":5})"), "\"cmd\" is no text");
    EXPECT_EQ(flaw(R"({"cmd":"a","cmd":"b"})"), "there are two \"cmd\"");
    EXPECT_EQ(flaw(R"({"cmd":"a"} x)"), "there is more behind the object");
    EXPECT_EQ(flaw(R"({"cmd":"a")"), "',' or '}' is missing");
    EXPECT_EQ(flaw(R"({"cmd":"a",})"), "a text in quotes is missing");
    EXPECT_EQ(flaw(R"({"cmd" "a"})"), "':' is missing");
    EXPECT_EQ(flaw(R"({"cmd":"a)"), "a text has no end");
    EXPECT_EQ(flaw("{\"cmd\":\"a\tb\"}"), "a control character stands in a text");
    EXPECT_EQ(flaw(R"({"cmd":"a","n":1.5})"), "numbers are whole numbers");
    EXPECT_EQ(flaw(R"({"cmd":"a","n":1e5})"), "numbers are whole numbers");
    EXPECT_EQ(flaw(R"({"cmd":"a","n":99999999999999999999})"), "a number is too large");
    EXPECT_EQ(flaw(R"({"cmd":"a","n":[1]})"), "a value is no text, number or boolean");
    EXPECT_EQ(flaw(R"({"cmd":"a","n":{}})"), "a value is no text, number or boolean");
    EXPECT_EQ(flaw(R"({"cmd":"a","n":1,"n":2})"), "a field is there twice");
    EXPECT_EQ(flaw(R"({"cmd":"a\x"})"), "an unknown escape");
    EXPECT_EQ(flaw(R"({"cmd":"a\u12"})"), "an unknown escape");
    EXPECT_EQ(flaw(R"({"cmd":"a\u0000"})"), "a NUL character");
    EXPECT_EQ(flaw(R"({"cmd":"a\ud83dx"})"), "an unknown escape");
    EXPECT_EQ(flaw(R"({"cmd":"a\ud83d\u0041"})"), "half of a character");
    EXPECT_EQ(flaw(R"({"cmd":"a\udc00"})"), "half of a character");
}

TEST(Request, HasAtMost32Fields) {
    std::string line = R"({"cmd":"a")";
    for (std::size_t i = 0; i < Request::max_fields; i++)
        line += ",\"f" + std::to_string(i) + "\":1";
    EXPECT_EQ(parsed(line + "}").fields.size(), Request::max_fields);
    EXPECT_EQ(flaw(line + ",\"g\":1}"), "too many fields");
}

TEST(Request, EveryPartOfOneIsRefused) {
    const std::string whole = R"({"cmd":"flows","host":"a\u00e9","limit":12,"held":true})";
    for (std::size_t size = 0; size < whole.size(); size++)
        EXPECT_NE(flaw(std::string_view(whole).substr(0, size)), "") << size;
}

} // namespace
} // namespace nfqws2::control
