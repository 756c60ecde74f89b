#include "tools/mdig/mdig.hpp"

#include "../tool_testing.hpp"
#include "nfqws2/base/text.hpp"

#include <gtest/gtest.h>

namespace nfqws2::tools {
namespace {

using testing::lines;
using testing::run_tool;
using testing::ToolResult;

TEST(Mdig, RefusesBadValues) {
    const auto refused = [](const std::vector<std::string>& arguments) {
        const ToolResult result = run_tool(mdig_main, arguments, "10.0.0.1\n");
        EXPECT_EQ(result.code, 1) << arguments[0];
        EXPECT_EQ(result.out, "") << arguments[0];
        return result.err;
    };
    for (const char* bad : {"0", "101", "-1", "x", "", "99999999999999999999"})
        EXPECT_EQ(refused({"--threads=" + std::string(bad)}),
                  "thread number must be within 1..100\n");
    for (const char* bad : {"0", "1001", "-1", "x"})
        EXPECT_EQ(refused({"--eagain=" + std::string(bad)}), "eagain must be within 1..1000\n");
    for (const char* bad : {"-1", "100001"})
        EXPECT_EQ(refused({"--eagain-delay=" + std::string(bad)}),
                  "eagain-delay must be within 0..100000\n");
    for (const char* bad : {"5", "64", "x", "0", ""})
        EXPECT_EQ(refused({"--family=" + std::string(bad)}), "ip family must be 4,6 or 46\n");
}

TEST(Mdig, AcceptsTheLimits) {
    for (const std::vector<std::string>& good : std::vector<std::vector<std::string>>{
             {"--threads=1"},
             {"--threads=100"},
             {"-threads", "7junk"},
             {"--eagain=1000"},
             {"--eagain-delay=0"},
             {"--eagain-d=100000"},
             {"--stats=-5"},
             {"--fam=46", "operand"},
             {"--dns-make-query="},
         }) {
        const ToolResult result = run_tool(mdig_main, good, "10.0.0.1\n");
        EXPECT_EQ(result.code, 0) << good[0];
        EXPECT_EQ(result.out, "10.0.0.1\n") << good[0];
        EXPECT_EQ(result.err, "") << good[0];
    }
}

TEST(Mdig, FamilyOption) {
    const std::string input = lines("10.0.0.1 ::1");
    EXPECT_EQ(run_tool(mdig_main, {}, input).out, "10.0.0.1\n");
    EXPECT_EQ(run_tool(mdig_main, {"--family=4"}, input).out, "10.0.0.1\n");
    EXPECT_EQ(run_tool(mdig_main, {"--family", "6"}, input).out, "::1\n");
    EXPECT_EQ(run_tool(mdig_main, {"--family=46"}, input).out, input);
}

TEST(Mdig, UnknownOptionsAndHelp) {
    const ToolResult unknown = run_tool(mdig_main, {"--zz"});
    EXPECT_EQ(unknown.code, 1);
    EXPECT_EQ(unknown.out, "");
    EXPECT_TRUE(unknown.err.starts_with("tool: unrecognized option '--zz'\n")) << unknown.err;

    const ToolResult help = run_tool(mdig_main, {"--help"});
    EXPECT_EQ(help.code, 1);
    EXPECT_EQ(help.err, "");
    for (const char* option :
         {"--family", "--threads", "--eagain", "--eagain-delay", "--verbose", "--stats",
          "--log-resolved", "--log-failed", "--dns-make-query", "--dns-parse-query", "--help"})
        EXPECT_NE(help.out.find(option), std::string::npos) << option;
    EXPECT_EQ(help.out.substr(help.out.find('\n'), 8), "\n\nUsage:");
}

TEST(Mdig, MakeQuery) {
    const auto hex = [](const ToolResult& result) {
        EXPECT_EQ(result.code, 0);
        return to_hex(as_bytes(result.out));
    };
    const std::string a = "0000010000010000000000000469616e61036f72670000010001";
    const std::string aaaa = "0000010000010000000000000469616e61036f726700001c0001";
    EXPECT_EQ(hex(run_tool(mdig_main, {"--dns-make-query=iana.org"})), a);
    EXPECT_EQ(hex(run_tool(mdig_main, {"--dns-make-query=iana.org", "--family=46"})), a);
    EXPECT_EQ(hex(run_tool(mdig_main, {"--dns-make-query=iana.org", "--family=6"})), aaaa);
    EXPECT_EQ(hex(run_tool(mdig_main, {"--family=6", "--dns-make-query=iana.org"})), aaaa);
    for (const char* bad : {"a..b", ".a", "a..", "."}) {
        const ToolResult result = run_tool(mdig_main, {"--dns-make-query=" + std::string(bad)});
        EXPECT_EQ(result.code, 1) << bad;
        EXPECT_EQ(result.out, "") << bad;
        EXPECT_EQ(result.err, "could not make DNS query\n") << bad;
    }
    const ToolResult full = run_tool(mdig_main, {"--dns-make-query=a"}, "", "/dev/full");
    EXPECT_EQ(full.code, 10);
    EXPECT_EQ(full.err, "could not write DNS query blob to stdout\n");
}

std::string binary(const std::string& hex) {
    const auto bytes = from_hex(hex);
    EXPECT_TRUE(bytes) << hex;
    return bytes ? std::string(as_text(*bytes)) : "";
}

TEST(Mdig, ParseReply) {
    const std::string reply = binary("1234818000010003000000000469616e61036f72670000010001"
                                     "c00c000500010000003c000603777777c00c"
                                     "c026000100010000003c0004c0002b08"
                                     "c026001c00010000003c001020010db8000000000000000000000005");
    const ToolResult whole = run_tool(mdig_main, {"--dns-parse-query"}, reply);
    EXPECT_EQ(whole.code, 0);
    EXPECT_EQ(whole.out, lines("192.0.43.8 2001:db8::5"));
    EXPECT_EQ(whole.err, "");

    const ToolResult cut =
        run_tool(mdig_main, {"--dns-parse-query"}, reply.substr(0, reply.size() - 3));
    EXPECT_EQ(cut.code, 11);
    EXPECT_EQ(cut.out, "192.0.43.8\n");
    EXPECT_EQ(cut.err, "could not parse DNS reply blob\n");

    const ToolResult nothing = run_tool(mdig_main, {"--dns-parse-query"}, "");
    EXPECT_EQ(nothing.code, 10);
    EXPECT_EQ(nothing.err, "could not read DNS reply blob from stdin\n");

    const std::string query = run_tool(mdig_main, {"--dns-make-query=iana.org"}).out;
    EXPECT_EQ(run_tool(mdig_main, {"--dns-parse-query"}, query).code, 11);
    EXPECT_EQ(run_tool(mdig_main, {"--dns-parse-query"}, "7 bytes").code, 11);

    const ToolResult empty = run_tool(mdig_main, {"--dns-parse-query"},
                                      binary("12348183000100000000000001610000010001"));
    EXPECT_EQ(empty.code, 0);
    EXPECT_EQ(empty.out + empty.err, "");
    // The family plays no part.
    EXPECT_EQ(run_tool(mdig_main, {"--family=4", "--dns-parse-query"}, reply).out, whole.out);
}

TEST(Mdig, ParseReplyActsWhenItIsMet) {
    EXPECT_EQ(run_tool(mdig_main, {"--dns-parse-query", "--threads=1000"}, "7 bytes").code, 11);
    EXPECT_EQ(run_tool(mdig_main, {"--threads=1000", "--dns-parse-query"}, "7 bytes").code, 1);
}

// 65535 bytes of records behind one another.
TEST(Mdig, ParsesTheLargestReply) {
    const std::string record = binary("c00c000100010000003c00040a000001");
    const std::size_t count = (65535 - 12) / record.size();
    std::string reply = binary("123481800000") + static_cast<char>(count >> 8) +
                        static_cast<char>(count & 255) + binary("00000000");
    for (std::size_t i = 0; i < count; i++)
        reply += record;
    const ToolResult result = run_tool(mdig_main, {"--dns-parse-query"}, reply);
    EXPECT_EQ(result.code, 0);
    EXPECT_EQ(result.out.size(), count * 9);
}

} // namespace
} // namespace nfqws2::tools
