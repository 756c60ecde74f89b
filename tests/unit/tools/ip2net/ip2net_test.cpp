#include "tools/ip2net/ip2net.hpp"

#include "../tool_testing.hpp"

#include <gtest/gtest.h>

namespace nfqws2::tools {
namespace {

using testing::lines;
using testing::run_tool;
using testing::ToolResult;

std::string output(const std::vector<std::string>& arguments, const std::string& input) {
    const ToolResult result = run_tool(ip2net_main, arguments, input);
    EXPECT_EQ(result.code, 0);
    EXPECT_EQ(result.err, "");
    return result.out;
}

// "10.0.0.0" ... "10.0.0.<last>"
std::string net10(int last) {
    std::string out;
    for (int i = 0; i <= last; i++)
        out += "10.0.0." + std::to_string(i) + '\n';
    return out;
}

TEST(Ip2net, AnswersTheArchitectureProbe) {
    EXPECT_EQ(output({}, "0.0.0.0"), "0.0.0.0\n");
    EXPECT_EQ(output({}, "0.0.0.0\n"), "0.0.0.0\n");
}

TEST(Ip2net, EmptyInput) {
    EXPECT_EQ(output({}, ""), "");
    EXPECT_EQ(output({"-6"}, ""), "");
}

TEST(Ip2net, Ipv4Examples) {
    EXPECT_EQ(output({}, lines("192.168.1.1 192.168.1.2 192.168.1.3 192.168.1.0")),
              "192.168.1.0/30\n");
    EXPECT_EQ(output({}, lines("192.168.1.1 192.168.1.2 192.168.1.0")), "192.168.1.0/30\n");
    EXPECT_EQ(output({}, lines("192.168.1.1 192.168.1.2")), lines("192.168.1.1 192.168.1.2"));
    EXPECT_EQ(output({}, lines("10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.5 10.0.0.6 10.0.0.7")),
              "10.0.0.0/29\n");
    EXPECT_EQ(output({}, net10(200)), "10.0.0.0/24\n");
    EXPECT_EQ(output({}, net10(190)), lines("10.0.0.0/25 10.0.0.128/26"));
    EXPECT_EQ(output({"--prefix-length=25"}, net10(255)), lines("10.0.0.0/25 10.0.0.128/25"));
    EXPECT_EQ(output({"--prefix-length=31"}, lines("10.0.0.4 10.0.0.5")), "10.0.0.4/31\n");
    EXPECT_EQ(output({"--prefix-length=31"}, lines("10.0.0.5 10.0.0.6")),
              lines("10.0.0.5 10.0.0.6"));
}

TEST(Ip2net, Ipv4Grammar) {
    EXPECT_EQ(output({}, "10.0.0.0/8\n1.2.3.4-1.2.3.9\n1.2.3.4/32\n1.2.3.4/33\n1.2.3.4/0\n"
                         " 1.2.3.5\n1.2.3.6 junk\n1.2.3.7/abc\n256.1.1.1\n1.2.3\nfoo\n"
                         "1.2.3.4-1.2.3.300\n01.02.03.04/024\n1.2.3.8/-1\n9.9.9.9-1.1.1.1\n"
                         "1.2.3.10.11\n"),
              lines("10.0.0.0/8 1.2.3.4-1.2.3.9 1.2.3.4/0 1.2.3.4/24 9.9.9.9-1.1.1.1 1.2.3.4/30 "
                    "1.2.3.10"));
}

TEST(Ip2net, Ipv6Examples) {
    const std::string three = lines("1234:5678:aaaa::5 1234:5678:aaaa::6 1234:5678:aaac::5");
    EXPECT_EQ(output({"-6", "--v6-threshold=2", "--prefix-length=32-64"}, three),
              "1234:5678:aaa8::/45\n");
    EXPECT_EQ(output({"-6", "--v6-threshold=4", "--prefix-length=32-64"}, three), three);
    EXPECT_EQ(output({"-6", "--v6-threshold=2", "--prefix-length=56-64"}, three),
              lines("1234:5678:aaaa::/64 1234:5678:aaac::5"));
    EXPECT_EQ(output({"-6"}, lines("2001:db8:0:a::1 2001:db8:0:b::1 2001:db8:0:c::1 "
                                   "2001:db8:0:d::1 2001:db8:0:e::1")),
              "2001:db8:0:8::/61\n");
}

TEST(Ip2net, Ipv6Grammar) {
    EXPECT_EQ(output({"-6"}, "2001:db8::/32\n2001:DB8::1/64\n::1/128\n::1/129\n::2/x\n fe80::1\n"
                             "fe80::2  \n2001:db8::1-2001:db8::5\n::3-zz\n2001:0db8:0000::0001\n"
                             "1.2.3.4\n::ffff:1.2.3.4\n"),
              lines("2001:db8::/32 2001:DB8::1/64 2001:db8::1-2001:db8::5 ::1 ::2 ::ffff:1.2.3.4 "
                    "2001:db8::1 fe80::2"));
}

TEST(Ip2net, PassThroughComesFirstInOrderAndIsNotMerged) {
    EXPECT_EQ(output({}, lines("1.1.1.1 9.0.0.0/8 1.1.1.2 9.0.0.0/8 1.1.1.3 1.1.1.0/30 1.1.1.0")),
              lines("9.0.0.0/8 9.0.0.0/8 1.1.1.0/30 1.1.1.0/30"));
}

TEST(Ip2net, ThresholdIsAtLeast) {
    // Two of four is exactly a half; the smallest network with the same two is the answer.
    const std::vector<std::string> half{"--v4-threshold=1/2", "--prefix-length=24-31"};
    EXPECT_EQ(output(half, lines("10.0.0.0 10.0.0.1")), "10.0.0.0/31\n");
    EXPECT_EQ(output(half, lines("10.0.0.0 10.0.0.2")), "10.0.0.0/30\n");
    EXPECT_EQ(output(half, lines("10.0.0.0 10.0.0.4")), lines("10.0.0.0 10.0.0.4"));
    EXPECT_EQ(output({"-6", "--v6-threshold=2", "--prefix-length=120-127"}, lines("::1 ::2")),
              "::/126\n");
    EXPECT_EQ(output({"-6", "--v6-threshold=3", "--prefix-length=120-127"}, lines("::1 ::2")),
              lines("::1 ::2"));
    // One address is enough for the rule, but never for a network.
    EXPECT_EQ(output({"--v4-threshold=1/4"}, "10.0.0.1\n"), "10.0.0.1\n");
    EXPECT_EQ(output({"-6", "--v6-threshold=1"}, "2001:db8::1\n"), "2001:db8::1\n");
}

TEST(Ip2net, LineEndingsDuplicatesAndLongLines) {
    EXPECT_EQ(output({}, "10.0.0.1\r\n10.0.0.1\n10.0.0.1 \t\n"), "10.0.0.1\n");
    EXPECT_EQ(output({}, "10.0.0.1\n10.0.0.9" + std::string(300, 'x') + "10.0.0.2\n10.0.0.3"),
              lines("10.0.0.1 10.0.0.3"));
}

TEST(Ip2net, OptionForms) {
    const std::string two = lines("10.0.0.4 10.0.0.5");
    for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
             {"-prefix-length=31"},
             {"--pre=31"},
             {"--prefix-length", "31"},
             {"operand", "--prefix-length=31-31", "-4"},
             {"-6", "--4", "--prefix-length=31"},
         })
        EXPECT_EQ(output(arguments, two), "10.0.0.4/31\n");
    EXPECT_EQ(output({"-4", "--6"}, "::1\n10.0.0.1\n"), "::1\n");
    EXPECT_EQ(output({"--prefix-length=100", "-6"}, "::1\n"), "::1\n");
}

TEST(Ip2net, RefusesBadValues) {
    const auto refused = [](const std::vector<std::string>& arguments) {
        const ToolResult result = run_tool(ip2net_main, arguments, "1.2.3.4\n");
        EXPECT_EQ(result.code, 1) << arguments[0];
        EXPECT_EQ(result.out, "") << arguments[0];
        return result.err;
    };
    for (const char* bad : {"x", "", "0", "0-24", "24-0", "25-24", "-5", "24x", "22-", "24 x",
                            "99999999999", "22-30-31"})
        EXPECT_EQ(refused({"--prefix-length=" + std::string(bad)}),
                  "invalid parameter for prefix-length : " + std::string(bad) + "\n");
    for (const char* bad : {"32", "22-32", "4294967295"})
        EXPECT_EQ(refused({"--prefix-length=" + std::string(bad)}),
                  "invalid parameter for prefix-length\n");
    EXPECT_EQ(refused({"--prefix-length=128", "-6"}), "invalid parameter for prefix-length\n");
    for (const char* bad : {"3", "3/", "/4", "4/4", "5/4", "0/4", "1/1", "a/b", "3/4x"})
        EXPECT_EQ(refused({"--v4-threshold=" + std::string(bad)}),
                  "invalid parameter for v4-threshold : " + std::string(bad) + "\n");
    for (const char* bad : {"0", "x", "", "-1"})
        EXPECT_EQ(refused({"--v6-threshold=" + std::string(bad)}),
                  "invalid parameter for v6-threshold : " + std::string(bad) + "\n");
}

TEST(Ip2net, UnknownOptionsAndHelp) {
    const ToolResult unknown = run_tool(ip2net_main, {"--zz"});
    EXPECT_EQ(unknown.code, 1);
    EXPECT_EQ(unknown.out, "");
    EXPECT_TRUE(unknown.err.starts_with("tool: unrecognized option '--zz'\n")) << unknown.err;
    EXPECT_NE(unknown.err.find("--prefix-length"), std::string::npos);

    const ToolResult missing = run_tool(ip2net_main, {"--prefix-length"});
    EXPECT_EQ(missing.code, 1);
    EXPECT_TRUE(missing.err.starts_with("tool: option '--prefix-length' requires an argument\n"));

    for (const char* help : {"--help", "-help", "--h", "-h"}) {
        const ToolResult result = run_tool(ip2net_main, {help});
        EXPECT_EQ(result.code, 1) << help;
        EXPECT_EQ(result.err, "") << help;
        EXPECT_NE(result.out.find(" version "), std::string::npos);
        const std::size_t line = result.out.find('\n');
        EXPECT_EQ(result.out.substr(line, 8), "\n\nUsage:");
    }
}

TEST(Ip2net, VerboseCounts) {
    const ToolResult result = run_tool(
        ip2net_main, {"--verbose"}, lines("1.1.1.0 1.1.1.1 1.1.1.2 1.1.1.2 5.5.5.5 bad 2.0.0.0/8"));
    EXPECT_EQ(result.out, lines("2.0.0.0/8 1.1.1.0/30 5.5.5.5"));
    EXPECT_EQ(result.err, "ip2net: lines=7 dropped=1 printed=1 addresses=4 networks=1 singles=1\n");
}

TEST(Ip2net, ReportsAFullDisk) {
    const ToolResult result = run_tool(ip2net_main, {}, "1.2.3.4\n", "/dev/full");
    EXPECT_EQ(result.code, 10);
    EXPECT_NE(result.err.find("could not write to stdout"), std::string::npos);
}

} // namespace
} // namespace nfqws2::tools
