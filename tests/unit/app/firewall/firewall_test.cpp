#include "derived.hpp"

#include <nlohmann/json.hpp>

namespace nfqws2::app {
namespace {

TEST(FirewallRules, TellStatesOfConnections) {
    const std::vector<std::string> words = {"--filter-tcp=443", "--lua-desync=f"};
    EXPECT_EQ(nft_text(Derived(words).rules).find("ct state"), std::string::npos);
    EXPECT_EQ(json_text(Derived(words).rules).find("ct_state_mark"), std::string::npos);
    std::vector<std::string> told = words;
    told.emplace_back("--ct-state-mark=0x07000000");
    const RuleSet rules = Derived(told).rules;
    const auto count = [](const std::string& text, const std::string& what) {
        std::size_t found = 0;
        for (std::size_t at = text.find(what); at != std::string::npos;
             at = text.find(what, at + 1))
            found++;
        return found;
    };
    // In both chains, in front of the rules that queue.
    const std::string nft = nft_text(rules);
    const std::string first = "ct state new meta mark set meta mark & 0xf8ffffff | 0x1000000\n";
    EXPECT_EQ(count(nft, first), 2U);
    EXPECT_EQ(count(nft, "ct state untracked meta mark set meta mark & 0xf8ffffff | 0x5000000\n"),
              2U);
    EXPECT_LT(nft.find(first), nft.find("queue num"));
    const std::string iptables = iptables_text(rules);
    EXPECT_EQ(count(iptables, "_out -m conntrack --ctstate RELATED -j MARK --set-xmark "
                              "0x3000000/0x7000000\n"),
              2U); // of both families
    EXPECT_NE(json_text(rules).find("\"ct_state_mark\":117440512"), std::string::npos);
}

const std::string first_answer = " first 1";

TEST(FirewallPorts, AreTheUnionOfThoseOfAllProfiles) {
    EXPECT_EQ(lines_of({"--filter-tcp=443,80", "--lua-desync=f", "--new", "--filter-tcp=81-90,79",
                        "--lua-desync=g"}),
              (Lines{"out tcp 79-90,443", "in tcp 79-90,443" + first_answer}));
}

TEST(FirewallPorts, OfOneProtocolLeaveTheOthersAlone) {
    EXPECT_EQ(lines_of({"--filter-udp=443", "--lua-desync=f"}), (Lines{"out udp 443"}));
    EXPECT_EQ(lines_of({"--filter-tcp=~80", "--lua-desync=f"}),
              (Lines{"out tcp 1-79,81-65535", "in tcp 1-79,81-65535" + first_answer}));
}

TEST(FirewallPorts, WithoutAFilterEverythingIsNeeded) {
    EXPECT_EQ(lines_of({"--lua-desync=f"}),
              (Lines{"out tcp", "out udp", "out icmp", "out other", "in tcp" + first_answer}));
    EXPECT_EQ(lines_of({"--filter-tcp=*", "--lua-desync=f"}),
              (Lines{"out tcp", "in tcp" + first_answer}));
}

TEST(FirewallPorts, OfTheInitiatorNarrowARule) {
    EXPECT_EQ(lines_of({"--filter-lport=1000-2000", "--filter-udp=53", "--lua-desync=f"}),
              (Lines{"out udp 53 from 1000-2000"}));
}

TEST(FirewallPorts, WiderRulesTakeNarrowerOnesIn) {
    EXPECT_EQ(lines_of({"--filter-udp=53", "--filter-l7=dns", "--out-range=-n4", "--lua-desync=f",
                        "--new", "--filter-udp=50-60", "--lua-desync=f"}),
              (Lines{"out udp 50-60"}));
    // The other way round a part of it is left.
    EXPECT_EQ(lines_of({"--filter-udp=53", "--filter-l7=dns", "--lua-desync=f", "--new",
                        "--filter-udp=50-60", "--out-range=-n4", "--lua-desync=f"}),
              (Lines{"out udp 53", "out udp 50-52,54-60 first 6+8"}));
}

TEST(FirewallPorts, OfAProfileWithoutInstancesAreNotNeeded) {
    EXPECT_EQ(lines_of({"--filter-udp=443", "--new", "--filter-udp=1-1000", "--lua-desync=f"}),
              (Lines{"out udp 1-442,444-1000"}));
    // A list may change, and then the later profile may have the packet.
    EXPECT_EQ(lines_of({"--filter-udp=443", "--hostlist-domains=a.com", "--new",
                        "--filter-udp=1-1000", "--lua-desync=f"}),
              (Lines{"out udp 1-1000"}));
    EXPECT_EQ(lines_of({"--filter-udp=443"}), Lines{});
}

TEST(FirewallFamilies, FollowTheFilter) {
    EXPECT_EQ(lines_of({"--filter-l3=ipv4", "--filter-udp=1", "--lua-desync=f", "--new",
                        "--filter-l3=ipv6", "--filter-udp=2", "--lua-desync=f"}),
              (Lines{"out udp 1 ipv4", "out udp 2 ipv6"}));
    EXPECT_EQ(lines_of({"--filter-l3=ipv4", "--filter-udp=1", "--lua-desync=f", "--new",
                        "--filter-udp=1", "--lua-desync=f"}),
              (Lines{"out udp 1"}));
}

TEST(FirewallPackets, FollowTheUpperEndOfTheRange) {
    const auto with = [](const std::string& range) {
        return lines_of({"--filter-udp=1", "--out-range=" + range, "--lua-desync=f"}).front();
    };
    EXPECT_EQ(with("-n7"), "out udp 1 first 9+14");
    EXPECT_EQ(with("-d10"), "out udp 1 first 38+20 estimate");
    EXPECT_EQ(with("n2<d10"), "out udp 1 first 38+20 estimate");
    EXPECT_EQ(with("-s5000"), "out udp 1 first 18+36 estimate");
    EXPECT_EQ(with("-b1000"), "out udp 1 first 10+20 estimate");
    EXPECT_EQ(with("-b0"), "out udp 1 first 8+16 estimate");
    EXPECT_EQ(with("-n1"), "out udp 1 first 3+2"); // the beginning, always
    EXPECT_EQ(with("n3-"), "out udp 1");
    EXPECT_EQ(with("-d4294967295"), "out udp 1 first 1000000+1000000 estimate");
    EXPECT_EQ(lines_of({"--filter-udp=1", "--out-range=x", "--lua-desync=f"}), Lines{});
}

TEST(FirewallPackets, OfTheLargestRangeOfAProfile) {
    EXPECT_EQ(lines_of({"--filter-udp=1", "--out-range=-n2", "--lua-desync=f", "--out-range=-n9",
                        "--lua-desync=g:repeats=5"}),
              (Lines{"out udp 1 first 11+94"}));
}

TEST(FirewallPackets, WithoutCountersOnlyOpenRangesHold) {
    EXPECT_EQ(lines_of({"--ctrack-disable", "--filter-udp=1", "--out-range=-n2", "--lua-desync=f",
                        "--new", "--filter-udp=2", "--lua-desync=f"}),
              (Lines{"out udp 2"}));
    EXPECT_EQ(lines_of({"--filter-icmp=8", "--out-range=-n2", "--lua-desync=f"}), Lines{});
}

TEST(FirewallPackets, OfTheMessageThatDecides) {
    // Only answers are asked for, but the profile is found by what the client says.
    EXPECT_EQ(lines_of({"--filter-tcp=443", "--filter-l7=tls", "--out-range=x", "--in-range=-n4",
                        "--payload=tls_server_hello", "--lua-desync=f"}),
              (Lines{"out tcp 443 first 11 estimate", "in tcp 443 first 6"}));
}

TEST(FirewallPackets, APayloadOfAnotherTransportNeedsNone) {
    EXPECT_EQ(lines_of({"--payload=quic_initial", "--lua-desync=f"}), (Lines{"out udp"}));
    EXPECT_EQ(lines_of({"--filter-tcp=80", "--payload=http_reply", "--lua-desync=f"}), Lines{});
}

TEST(FirewallAnswers, AreForThoseWhoLookAtThem) {
    EXPECT_EQ(lines_of({"--filter-udp=1", "--lua-desync=fake:ip_autottl=-1,3-20"}),
              (Lines{"out udp 1", "in udp 1 first 3"}));
    EXPECT_EQ(lines_of({"--filter-udp=1", "--in-range=a", "--lua-desync=f"}),
              (Lines{"out udp 1", "in udp 1", "in icmp related"}));
    EXPECT_EQ(lines_of({"--filter-udp=1", "--lua-desync=circular:udp_in=4"}),
              (Lines{"out udp 1", "in udp 1 first 6"}));
    EXPECT_EQ(lines_of({"--filter-tcp=1", "--out-range=-d10", "--lua-desync=circular"}),
              (Lines{"out tcp 1 first 76+20 estimate", "in tcp 1 first 7 estimate invalid"}));
    EXPECT_EQ(lines_of({"--filter-tcp=1", "--lua-desync=circular:success_detector=success_bytes"}),
              (Lines{"out tcp 1", "in tcp 1 first 24 estimate invalid"}));
}

TEST(FirewallAnswers, OfAnAutomaticList) {
    const TempDir dir;
    const std::string list = "--hostlist-auto=" + (dir / "auto");
    EXPECT_EQ(lines_of({"--filter-tcp=1", list}),
              (Lines{"out tcp 1 first 146 estimate", "in tcp 1 first 7 estimate invalid"}));
    EXPECT_EQ(lines_of({"--filter-udp=1", list}),
              (Lines{"out udp 1 first 11 estimate", "in udp 1 first 3"}));
    EXPECT_EQ(lines_of({"--filter-udp=1", list, "--hostlist-auto-udp-out=0"}), Lines{});
}

TEST(FirewallAnswers, OfDnsForNamesInTheIpCache) {
    EXPECT_EQ(lines_of({"--ipcache-hostname", "--filter-udp=443", "--lua-desync=f"}),
              (Lines{"out udp 443", "out udp 53 first 3", "in udp 53 first 3"}));
}

TEST(FirewallServer, TurnsTheWaysRound) {
    const Derived d({"--server", "--filter-tcp=443", "--lua-desync=f"});
    EXPECT_EQ(d.lines(), (Lines{"out tcp 443", "in tcp 443 first 3"}));
    EXPECT_FALSE(d.rules.by_initiator(d.rules.rules[0]));
    EXPECT_TRUE(d.rules.by_initiator(d.rules.rules[1]));
    const std::string text = iptables_text(d.rules);
    EXPECT_TRUE(contains(text, "-A nfqws2_300_out -p tcp --sport 443 -j NFQUEUE")) << text;
    EXPECT_TRUE(contains(text, "-A nfqws2_300_in -p tcp --dport 443 -m connbytes "
                               "--connbytes-mode packets --connbytes-dir original "
                               "--connbytes 1:3 -j NFQUEUE"))
        << text;
}

TEST(FirewallIcmp, KindsAndProtocols) {
    EXPECT_EQ(lines_of({"--filter-icmp=8,3:4", "--filter-ipp=47,50", "--lua-desync=f"}),
              (Lines{"out icmp 3:4 8", "out other 47,50"}));
    EXPECT_EQ(lines_of({"--filter-icmp=*", "--in-range=a", "--out-range=x", "--lua-desync=f"}),
              (Lines{"in icmp"}));
}

TEST(FirewallSets, NarrowWhereEveryProfileHasOne) {
    const TempDir dir;
    const std::string nets = "--ipset=" + dir.file("nets", "10.0.0.0/8\n192.0.2.1\n");
    const Derived d({"--filter-udp=1", nets, "--lua-desync=f", "--new", "--filter-udp=2", nets,
                     "--lua-desync=f", "--new", "--filter-udp=2", "--lua-desync=f"});
    EXPECT_EQ(d.lines(), (Lines{"out udp 1 ipv4 set 0", "out udp 2"}));
    ASSERT_EQ(d.rules.sets.size(), 1U);
    const std::string nft = nft_text(d.rules);
    EXPECT_TRUE(contains(nft, "elements = { 10.0.0.0/8, 192.0.2.1/32 }")) << nft;
    EXPECT_TRUE(contains(nft, "ip daddr @set_1_4 udp dport 1 ")) << nft;
    const std::string iptables = iptables_text(d.rules);
    EXPECT_TRUE(contains(iptables, "add nfqws2_300_1_4 10.0.0.0/8 -exist")) << iptables;
    EXPECT_TRUE(contains(iptables, "-p udp --dport 1 -m set --match-set nfqws2_300_1_4 dst -j"));
}

TEST(FirewallSets, AnEmptyListIsNoCondition) {
    const TempDir dir;
    EXPECT_EQ(lines_of({"--filter-udp=1", "--ipset=" + dir.file("nets", ""), "--lua-desync=f"}),
              (Lines{"out udp 1"}));
}

TEST(FirewallText, ManyPortsAreSeveralRulesOfIptables) {
    std::string ports = "1";
    for (int i = 3; i < 40; i += 2)
        ports += "," + std::to_string(i);
    const std::string text =
        iptables_text(Derived({"--filter-udp=" + ports, "--lua-desync=f"}).rules);
    EXPECT_TRUE(contains(text, "--dports 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29 -j")) << text;
    EXPECT_TRUE(contains(text, "--dports 31,33,35,37,39 -j")) << text;
}

TEST(FirewallText, NamesOfProfilesAreHarmless) {
    const Derived d({"--name=a\"b\n'$(id)`\\\xff", "--filter-udp=1", "--lua-desync=f"});
    for (const std::string& text : {iptables_text(d.rules), nft_text(d.rules)})
        EXPECT_TRUE(contains(text, "profile 1 (a_b___(id)___): --out-range")) << text;
    const auto json = nlohmann::json::parse(json_text(d.rules));
    EXPECT_EQ(json["rules"].size(), 1U);
}

TEST(FirewallText, CommentsHaveALimit) {
    Rule rule;
    rule.reasons.assign(100, "reason");
    EXPECT_EQ(comment_text(rule, 127).size(), 127U);
    EXPECT_TRUE(comment_text(rule, 127).ends_with("..."));
}

TEST(FirewallText, WorkersAndMarks) {
    const Derived d({"--workers=4", "--fwmark=0x20000000", "--offload-mark=0x10", "--filter-udp=1",
                     "--lua-desync=f"});
    const std::string nft = nft_text(d.rules), iptables = iptables_text(d.rules);
    EXPECT_TRUE(contains(nft, "meta mark set meta mark | 0x10000000 queue num 300-303 bypass"))
        << nft;
    EXPECT_TRUE(contains(nft, "ct mark & 0x10 != 0 return"));
    EXPECT_TRUE(contains(iptables, "-j NFQUEUE --queue-balance 300:303 --queue-bypass"));
    EXPECT_TRUE(contains(iptables, "own='-m mark ! --mark 0x20000000/0x20000000'"));
    EXPECT_TRUE(contains(iptables, "-m connmark --mark 0x10/0x10 -j RETURN"));
}

TEST(FirewallText, JsonTellsAll) {
    const Derived d({"--filter-tcp=80,443", "--out-range=-d2", "--lua-desync=f"});
    const auto json = nlohmann::json::parse(json_text(d.rules));
    EXPECT_EQ(json["queue"], 300);
    EXPECT_EQ(json["name"], "nfqws2_300");
    EXPECT_EQ(json["mark"], 0x40000000);
    const auto& rule = json["rules"][0];
    EXPECT_EQ(rule["way"], "out");
    EXPECT_EQ(rule["sender"], "initiator");
    EXPECT_EQ(rule["ports"], nlohmann::json::array({"80", "443"}));
    EXPECT_EQ(rule["packets"], 14);
    EXPECT_EQ(rule["estimate"], true);
    EXPECT_EQ(rule["reasons"][0], "profile 1 (noname): --out-range=a0-d2");
    EXPECT_EQ(json["notes"][0],
              "only a script knows what f() needs besides the packets within its ranges");
}

TEST(FirewallText, SettingsOfTheService) {
    EXPECT_EQ(service_text(Derived({"--filter-tcp=80,443", "--out-range=-n2", "--lua-desync=f",
                                    "--new", "--filter-udp=443", "--lua-desync=f"})
                               .rules),
              "NFQWS2_PORTS_TCP=80,443\nNFQWS2_TCP_PKT_OUT=8\nNFQWS2_TCP_PKT_IN=1\n"
              "NFQWS2_PORTS_UDP=443\nNFQWS2_UDP_PKT_OUT=keepalive\nNFQWS2_UDP_PKT_IN=0\n");
    EXPECT_EQ(service_text(Derived({"--filter-icmp=8", "--lua-desync=f"}).rules),
              "NFQWS2_PORTS_TCP=\nNFQWS2_TCP_PKT_OUT=0\nNFQWS2_TCP_PKT_IN=0\n"
              "NFQWS2_PORTS_UDP=\nNFQWS2_UDP_PKT_OUT=0\nNFQWS2_UDP_PKT_IN=0\n");
}

} // namespace
} // namespace nfqws2::app
