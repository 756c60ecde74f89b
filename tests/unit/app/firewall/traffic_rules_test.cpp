// What traffic rules need to see. Only where they are part of the build.
#include "derived.hpp"

#include <nlohmann/json.hpp>

namespace nfqws2::app {
namespace {

std::string dropping(const Lines& matches, const std::string& profile = "") {
    std::string text = "[[profile]]\nname = \"web\"\nmatch = [" + profile + "]\n";
    for (const std::string& match : matches)
        text += "[[profile.rule]]\nmatch = [" + match + "]\naction = [\"drop\"]\n";
    return text;
}
Lines needed_for(const std::string& traffic_rules) {
    return Derived({}, traffic_rules).lines();
}

TEST(FirewallTrafficRules, NeedPacketsThatTheyDoSomethingWith) {
    EXPECT_EQ(
        needed_for(dropping({"{ dir = \"in\" }, { protocol = \"udp\" }, { dport = [53, 123] }",
                             "{ dir = \"in\" }, { protocol = \"udp\" }, { dport = 5353 }"})),
        (Lines{"in udp from 53,123,5353 any side"}));
    EXPECT_EQ(
        needed_for(dropping({"{ sport = 53 }"}, "{ dir = \"out\" }, { dst = \"192.0.2.0/24\" }")),
        (Lines{"out tcp from 53 any side ipv4", "out udp from 53 any side ipv4",
               "out other 132 any side ipv4"}));
    EXPECT_EQ(needed_for(dropping({"{ ifin = \"br0\" }, { ifout = \"ppp*\" }, "
                                   "{ tcpflags = { flags = [\"syn\"] } }"})),
              (Lines{"out tcp any side", "in tcp any side"}))
        << "in FORWARD both are known";
    EXPECT_EQ(needed_for(dropping({"{ dir = \"in\" }, { protocol = \"udp\" }, { sport = 0 }"})),
              (Lines{"in udp 0 any side"}));
    EXPECT_EQ(needed_for(dropping({"{ dir = \"in\" }, { protocol = \"tun\" }, "
                                   "{ protocol = \"icmpv6\" }"})),
              (Lines{"in other 4,41,47,51 any side"}))
        << "in IPv4 too";
    EXPECT_EQ(needed_for(dropping({"{ dir = \"in\" }, { protocol = \"ah\" }, "
                                   "{ protocol = \"gre\" }"})),
              (Lines{"in other 51 any side"}));
    EXPECT_EQ(needed_for(dropping({"{ dir = \"in\" }, { icmp = { type = \"echo_request\" } }"})),
              (Lines{"in icmp 8 any side ipv4"}));
    EXPECT_EQ(needed_for(dropping({"{ not = { dir = \"in\" } }, { spi = 1 }, { dport = 1 }"})),
              (Lines{"out other 50-51 any side"}));
    EXPECT_EQ(needed_for(dropping({"{ dir = \"in\" }, { tsrc = \"10.0.0.0/8\" }"})),
              (Lines{"in other 4,41,47,51 any side"}));
    const Lines all{"out tcp any side",       "out udp any side",      "out icmp any side ipv4",
                    "out icmp any side ipv6", "out other any side",    "in tcp any side",
                    "in udp any side",        "in icmp any side ipv4", "in icmp any side ipv6",
                    "in other any side"};
    EXPECT_EQ(needed_for(dropping({"{ hmark = { id = 1 } }"})), all);
    EXPECT_EQ(needed_for("policy = \"drop\"\n"), all);
}

TEST(FirewallTrafficRules, ThatOnlyLetPassNeedNothing) {
    const std::string begin = "[[profile]]\n[[profile.rule]]\naction = [";
    for (const char* actions :
         {"\"accept\"", "{ uh = \"L3-L4\" }", "{ mark = { value = 1 } }",
          "{ capture = \"off\" }, { verdict = \"clear\" }", "{ pass = { to = \"os\" } }"})
        EXPECT_EQ(needed_for(begin + actions + "]\n"), Lines()) << actions;
    for (const char* actions :
         {"{ stats = \"a\" }, \"accept\"", "{ mark = { how = \"save\" } }", "{ capture = \"on\" }"})
        EXPECT_FALSE(needed_for(begin + actions + "]\n").empty()) << actions;
    // What measures needs its packets; what looks at the result has them.
    EXPECT_EQ(
        needed_for("[[profile]]\nmatch = [ { dir = \"in\" } ]\n[[profile.rule]]\nmatch = [ { "
                   "protocol = \"udp\" } ]\naction = [ { rate = { id = 1, pps = { rate = 9 } } } "
                   "]\n[[profile.rule]]\nmatch = [ { verdict = { rate = \"exceed\" } } ]\naction "
                   "= [ \"drop\" ]\n"),
        (Lines{"in udp any side"}));
}

TEST(FirewallTrafficRules, StandBesideProfiles) {
    const std::string rules = dropping({"{ dir = \"in\" }, { protocol = \"tcp\" }"});
    const Derived d({"--filter-tcp=443", "--out-range=-n2", "--lua-desync=f"}, rules);
    EXPECT_EQ(d.lines(), (Lines{"out tcp 443 first 4+4", "in tcp any side"}));
    const std::string nft = nft_text(d.rules), iptables = iptables_text(d.rules);
    EXPECT_TRUE(contains(nft, "\t\tmeta l4proto tcp queue num 300 bypass")) << nft;
    EXPECT_FALSE(contains(nft, "ct direction")) << nft;
    EXPECT_FALSE(contains(iptables, "ctdir")) << iptables;
    EXPECT_TRUE(contains(nft, "traffic rules: profile web")) << nft;
    EXPECT_TRUE(contains(nft, "needs 'lan'")) << nft;
    EXPECT_EQ(nlohmann::json::parse(json_text(d.rules))["rules"][1]["sender"], "any");
    // A rule that asks for the connection comes last: it ends the search.
    const Derived both({"--in-range=-n9", "--filter-l3=ipv4", "--lua-desync=f"},
                       dropping({"{ dir = \"in\" }, { ttl = 1 }, { dst = \"2001:db8::/32\" }"}));
    const std::string text = nft_text(both.rules);
    EXPECT_LT(text.rfind("meta nfproto ipv6 meta l4proto tcp queue"),
              text.rfind("meta l4proto tcp ct direction original return"))
        << text;
    // Ports of the far side of a server are those of its clients.
    EXPECT_EQ(Derived({"--server"}, dropping({"{ dir = \"in\" }, { protocol = \"udp\" }, "
                                              "{ dport = 53 }"}))
                  .lines(),
              (Lines{"in udp 53 any side"}));
}

TEST(FirewallTrafficRules, OfManyKindsBecomeOneForEverything) {
    Lines matches;
    for (int i = 1; i <= 400; i++)
        matches.push_back("{ dport = " + std::to_string(i) + " }, { sport = " + std::to_string(i) +
                          " }, { ttl = 1 }");
    EXPECT_EQ(needed_for(dropping(matches)).size(), 10U);
}

} // namespace
} // namespace nfqws2::app
