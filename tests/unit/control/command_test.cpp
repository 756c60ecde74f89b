#include "nfqws2/control/command.hpp"

#include <gtest/gtest.h>

namespace nfqws2::control {
namespace {

const std::vector<Command> table = {
    {"flows", Access::read, {{"port", Kind::number, 0, 65535}, {"host", Kind::text}}, {}},
    {"stop", Access::all, {{"now", Kind::flag}, {"who", Kind::text_or_number, 0, 9}}, {}},
};

// Code and text of the refusal; "" if there is none.
std::string refusal(const char* line, Access access = Access::all) {
    std::string error;
    auto request = parse_request(line, &error);
    EXPECT_TRUE(request) << error;
    request->access = access;
    Refusal refusal{"", {}};
    if (find_command(table, *request, &refusal) != nullptr) return "";
    return std::string(refusal.code) + ": " + refusal.text;
}

TEST(Command, FitsItsRow) {
    EXPECT_EQ(refusal(R"({"cmd":"flows"})", Access::read), "");
    EXPECT_EQ(refusal(R"({"cmd":"flows","port":65535,"host":"x"})"), "");
    EXPECT_EQ(refusal(R"({"cmd":"stop","now":false,"who":"x"})"), "");
    EXPECT_EQ(refusal(R"({"cmd":"stop","who":9})"), "");
}

TEST(Command, IsRefusedWithAReason) {
    EXPECT_EQ(refusal(R"({"cmd":"flow"})"),
              "unknown-command: unknown command 'flow'; did you mean 'flows'?");
    EXPECT_EQ(refusal(R"({"cmd":"somethingelse"})"),
              "unknown-command: unknown command 'somethingelse'");
    EXPECT_EQ(refusal(R"({"cmd":"stop"})", Access::read), "forbidden: 'stop' is not for this user");
    EXPECT_EQ(refusal(R"({"cmd":"flows","prot":1})"),
              "bad-field: unknown field 'prot' of command 'flows'; did you mean 'port'?");
    EXPECT_EQ(refusal(R"({"cmd":"flows","port":65536})"),
              "bad-field: field 'port' is between 0 and 65535");
    EXPECT_EQ(refusal(R"({"cmd":"flows","port":"x"})"), "bad-field: field 'port' is a number");
    EXPECT_EQ(refusal(R"({"cmd":"flows","host":1})"), "bad-field: field 'host' is a text");
    EXPECT_EQ(refusal(R"({"cmd":"stop","now":1})"), "bad-field: field 'now' is true or false");
    EXPECT_EQ(refusal(R"({"cmd":"stop","who":true})"),
              "bad-field: field 'who' is a text or a number");
    EXPECT_EQ(refusal(R"({"cmd":"stop","who":10})"), "bad-field: field 'who' is between 0 and 9");
}

TEST(Command, LongWordsAreShownInPart) {
    const std::string line = "{\"cmd\":\"" + std::string(60000, 'x') + "\"}";
    EXPECT_LT(refusal(line.c_str()).size(), 200U);
}

TEST(Command, ErrorsAreOneLine) {
    EXPECT_EQ(error_line({"failed", "a \"b\"\n"}),
              "{\"error\":\"a \\\"b\\\"\\n\",\"code\":\"failed\",\"end\":true}\n");
}

} // namespace
} // namespace nfqws2::control
