#include "world.hpp"

namespace nfqws2::rules {
namespace {

using namespace test_packets;

TEST(Judge, PolicyIsTheEndOfRules) {
    EXPECT_EQ(Decision::go_on, World("").feed(U()).decision);
    EXPECT_EQ(Decision::accept, World("policy = \"accept\"\n").feed(U()).decision);
    EXPECT_EQ(Decision::drop, World("policy = \"drop\"\n").feed(U()).decision);
}

TEST(Judge, TheFirstProfileThatHoldsJudges) {
    World world(R"([[profile]]
name = "dns"
match = [ { dport = 53 } ]
[[profile.rule]]
action = [ "accept" ]
[[profile]]
name = "rest"
[[profile.rule]]
action = [ "drop" ]
)");
    EXPECT_EQ(Decision::accept, world.feed(U()).decision);
    EXPECT_EQ("dns", world.judge->account().profile);
    EXPECT_EQ(Decision::drop, world.feed(S()).decision);
    EXPECT_EQ(std::vector<std::string>{"rest/main#1"}, world.judge->account().hits);
    EXPECT_EQ(1U, world.judge->dropped());
}

TEST(Judge, GotoHasNoWayBack) {
    World world(R"([[profile]]
[[profile.rule]]
action = [ { goto = "away" } ]
[[profile.rule]]
action = [ { stats = "never" }, "accept" ]
[[profile.chain]]
name = "away"
[[profile.chain.rule]]
match = [ { dport = 53 } ]
action = [ { stats = "there" }, "drop" ]
)");
    EXPECT_TRUE(world.drops(U()));
    EXPECT_EQ(Decision::go_on, world.feed(S()).decision);
    EXPECT_EQ(0U, world.counter("never"));
    EXPECT_EQ(1U, world.counter("there"));
}

TEST(Judge, PassAndLevels) {
    EXPECT_EQ(Decision::accept,
              World("[[profile]]\n[[profile.rule]]\naction = [ { pass = { to = \"os\" } } ]\n")
                  .feed(U())
                  .decision);
    World tagged("[[profile]]\n[[profile.rule]]\naction = [ { pass = { to = \"os\", vid = 5 } } ]\n"
                 "[[profile.rule]]\naction = [ \"drop\" ]\n");
    EXPECT_TRUE(tagged.drops(U()));
    const auto frame = [](std::uint8_t last_of_mac, std::uint8_t tag) {
        return Packet{2, 0, 0, 0, 0, last_of_mac, 2, 0, 0, 0, 0, 2, 0x81, 0, 0x20, tag, 8, 0};
    };
    const Packet five = frame(1, 5), six = frame(1, 6), other = frame(9, 5);
    tagged.about.link = five;
    EXPECT_EQ(Decision::accept, tagged.feed(U()).decision);
    tagged.about.link = six;
    EXPECT_TRUE(tagged.drops(U()));
    World addressed("[[profile]]\n[[profile.rule]]\naction = [ { pass = { to = \"os\", "
                    "mac = \"02:00:00:00:00:01\", vid = 5 } } ]\n"
                    "[[profile.rule]]\naction = [ \"drop\" ]\n");
    EXPECT_TRUE(addressed.judge->needs_link());
    addressed.about.link = five;
    EXPECT_FALSE(addressed.drops(U()));
    for (const Packet* wrong : {&six, &other}) {
        addressed.about.link = *wrong;
        EXPECT_TRUE(addressed.drops(U()));
    }
    World shallow("[[profile]]\n[[profile.rule]]\naction = [ { uh = \"L3-L4\" } ]\n");
    EXPECT_TRUE(shallow.feed(U()).shallow);
    EXPECT_FALSE(shallow.judge->needs_link());
    World deep("[[profile]]\n[[profile.rule]]\naction = [ { uh = \"L3-L4\" }, "
               "{ pass = { to = \"uh\", level = \"L3-L7\" } } ]\n");
    const Ruling ruling = deep.feed(U());
    EXPECT_FALSE(ruling.shallow);
    EXPECT_EQ(Decision::go_on, ruling.decision);
}

TEST(Judge, RegistersEndWithThePacket) {
    World world(R"([[profile]]
[[profile.rule]]
match = [ { mark = 7 } ]
action = [ { stats = "late" } ]
[[profile.rule]]
action = [ { mark = { value = 5 } }, { mark = { how = "add", value = 2 } }, { verdict = { op = "set", ratelimit = "exceed" } } ]
[[profile.rule]]
match = [ { mark = 7 }, { verdict = { ratelimit = "exceed" } } ]
action = [ { stats = "both" }, { verdict = "clear" } ]
[[profile.rule]]
match = [ { verdict = { ratelimit = ["conform", "exceed", "violate", "cooldown"] } } ]
action = [ "drop" ]
)");
    EXPECT_FALSE(world.drops(U()));
    EXPECT_FALSE(world.drops(U()));
    EXPECT_EQ(0U, world.counter("late"));
    EXPECT_EQ(2U, world.counter("both"));
    EXPECT_EQ(7U, world.judge->account().mark);
    EXPECT_EQ("", world.judge->account().verdict);
}

TEST(Judge, FirewallMarkIsTheCommonOneOfTheLocalMark) {
    World world(R"([[profile]]
[[profile.rule]]
match = [ { fwmark = "0x10/0xF0" } ]
action = [ { mark = { how = "restore" } }, { mark = { how = "or", value = 1 } }, { mark = { how = "save" } } ]
)");
    world.about.mark = 0x12;
    EXPECT_EQ(0x13U, world.feed(U()).mark);
    world.about.mark = 0x22;
    EXPECT_FALSE(world.feed(U()).mark);
}

TEST(Judge, ObservingProfilesCountAndLeaveAlone) {
    World world(R"([[profile]]
mode = "observe"
[[profile.rule]]
action = [ { snat = "198.51.100.0/24" }, { stats = "seen" }, "drop" ]
)");
    const Ruling ruling = world.feed(U());
    EXPECT_EQ(Decision::go_on, ruling.decision);
    EXPECT_TRUE(ruling.changed.empty());
    EXPECT_EQ(1U, world.counter("seen"));
    EXPECT_EQ(1U, world.judge->dropped());
}

TEST(Judge, CountersSurviveAReload) {
    World world("[[profile]]\n[[profile.rule]]\nname = \"a\"\naction = [ { stats = \"N\" } ]\n");
    world.feed(U());
    const Compiled next =
        compile_text("version = 1\n[[profile]]\n[[profile.rule]]\naction = [ { stats = \"M\" } ]\n"
                     "[[profile.rule]]\nname = \"a\"\naction = [ { stats = \"N\" } ]\n",
                     "next.toml");
    std::string error;
    std::vector<std::string> warnings;
    world.judge->replace(bring_in_force(next.program, *world.tables, nullptr, &error, &warnings));
    world.feed(U());
    EXPECT_EQ(1U, world.counter("M"));
    EXPECT_EQ(2U, world.counter("N"));
    for (const Judge::RuleCounts& rule : world.judge->rule_counts())
        EXPECT_EQ(rule.name == "a" ? 2U : 1U, rule.counts.packets) << rule.name;
}

TEST(Judge, EquallyNamedRulesOfTwoProfilesKeepTheirCounts) {
    const std::string text = "[[profile]]\nmatch = [ { protocol = \"udp\" } ]\n[[profile.rule]]\n"
                             "name = \"a\"\naction = [ \"drop\" ]\n[[profile]]\n"
                             "[[profile.rule]]\nname = \"a\"\naction = [ \"drop\" ]\n";
    World world(text);
    world.feed(U());
    world.feed(U());
    world.feed(S());
    const Compiled next = compile_text("version = 1\n" + text, "next.toml");
    std::string error;
    std::vector<std::string> warnings;
    world.judge->replace(bring_in_force(next.program, *world.tables, nullptr, &error, &warnings));
    const auto counts = world.judge->rule_counts();
    ASSERT_EQ(2U, counts.size());
    EXPECT_EQ(2U, counts[0].counts.packets);
    EXPECT_EQ(1U, counts[1].counts.packets);
}

TEST(Judge, LengthsAndTranslationAreOfPieces) {
    const auto needs_pieces = [](const std::string& rule) {
        return World("[[profile]]\n[[profile.rule]]\n" + rule).judge->needs_pieces();
    };
    EXPECT_FALSE(needs_pieces("action = [ \"drop\" ]\n"));
    EXPECT_TRUE(needs_pieces("action = [ { snat = \"198.51.100.0/24\" } ]\n"));
    EXPECT_TRUE(needs_pieces("match = [ { len = { len = \"1500-65535\" } } ]\n"
                             "action = [ \"drop\" ]\n"));
    EXPECT_FALSE(needs_pieces("match = [ { len = { len = 20, elm = \"header\" } } ]\n"
                              "action = [ \"drop\" ]\n"));
    EXPECT_TRUE(
        World("[[profile]]\nmatch = [ { not = { len = { len = 28 } } } ]\n").judge->needs_pieces());
    EXPECT_FALSE(needs_pieces("enabled = false\nmatch = [ { len = { len = 28 } } ]\n"
                              "action = [ \"drop\" ]\n"));
}

TEST(Judge, TranslationKeepsHostPartAndChecksums) {
    World source("[[profile]]\n[[profile.rule]]\naction = [ { snat = \"198.51.100.0/24\" } ]\n");
    const Ruling four = source.feed(U());
    const Packet changed(four.changed.begin(), four.changed.end());
    EXPECT_EQ("198.51.100.1", packet::dissect(changed).source().text());
    EXPECT_TRUE(checksums_right(changed));
    EXPECT_TRUE(source.feed(V6()).changed.empty());

    World target("[[profile]]\n[[profile.rule]]\naction = [ { dnat = [\"203.0.113.5\", "
                 "\"2001:db8:2::/48\"] } ]\n[[profile.rule]]\nmatch = [ { dst = "
                 "\"2001:db8:2::10\" } ]\naction = [ \"accept\" ]\n");
    for (const Packet& packet : {U(), S(), D(), V6(), N(), I(), C()}) {
        const Ruling ruling = target.feed(packet);
        const Packet now(ruling.changed.begin(), ruling.changed.end());
        const packet::Dissect d = packet::dissect(now);
        EXPECT_EQ(d.l3 == packet::L3::ipv4 ? "203.0.113.5" : "2001:db8:2::10",
                  d.destination().text());
        EXPECT_TRUE(checksums_right(now));
        // Later rules see the new address.
        EXPECT_EQ(d.l3 == packet::L3::ipv6, ruling.decision == Decision::accept);
    }
    Packet bare = U();
    bare[26] = bare[27] = 0; // UDP without a checksum
    const Ruling none = target.feed(bare);
    EXPECT_EQ(0, none.changed[26] | none.changed[27]);
}

TEST(Judge, BlocksAFloodingSourceForAWhile) {
    World world(R"([[profile]]
[[profile.rule]]
match = [ { hmark = { id = 2, status = "valid" } } ]
action = [ { stats = "TEMP_BLOCK" }, "drop" ]
[[profile.rule]]
match = [ { protocol = "udp" } ]
action = [ { ratelimit = { id = 8, pps = { rate = 500 } } } ]
[[profile.rule]]
match = [ { verdict = { ratelimit = "exceed" } } ]
action = [ { stats = "RL_UDP_SRC_BLOCK" }, { hmark = { id = 2, value = 2, lifetime = 300 } }, "drop" ]
[[profile.rule]]
action = [ { verdict = "clear" } ]
)");
    const Packet other = ipv4({"10.0.0.2"}, 17, udp(1, 2, "x"));
    for (int i = 0; i < 500; i++) {
        EXPECT_FALSE(world.drops(U(), i * ms)) << i;
        EXPECT_FALSE(world.drops(other, i * 4 * ms)) << i;
    }
    EXPECT_TRUE(world.drops(U(), 500 * ms));
    EXPECT_EQ(1U, world.counter("RL_UDP_SRC_BLOCK"));
    EXPECT_TRUE(world.drops(S(), 10 * s)); // TCP of that source too
    EXPECT_TRUE(world.drops(U(), 300 * s));
    EXPECT_EQ(2U, world.counter("TEMP_BLOCK"));
    EXPECT_FALSE(world.drops(U(), 301 * s));
}

TEST(Judge, StoredMarksMoveToTheLocalOneAndBack) {
    World world(R"([[profile]]
[[profile.rule]]
match = [ { protocol = "udp" } ]
action = [ { mark = { value = 7 } }, { hmark = { id = 3, how = "restore" } } ]
[[profile.rule]]
match = [ { protocol = "tcp" } ]
action = [ { hmark = { id = 3, how = "save" } } ]
[[profile.rule]]
match = [ { protocol = "tcp" }, { mark = 7 } ]
action = [ "drop" ]
)");
    EXPECT_FALSE(world.drops(S()));
    EXPECT_FALSE(world.drops(U()));
    EXPECT_TRUE(world.drops(S()));
}

TEST(Judge, AuthenticatesBySynAck) {
    World world(R"([[profile]]
[[profile.rule]]
match = [ { protocol = "tcp" } ]
action = [ { tcpauth = { id = 1, syn = "synack" } } ]
[[profile.rule]]
match = [ { verdict = { tcpauth = "invalid" } } ]
action = [ "drop" ]
)");
    EXPECT_TRUE(world.drops(S()));
    ASSERT_EQ(1U, world.answers.size());
    const Packet answer = world.answers[0];
    EXPECT_TRUE(checksums_right(answer));
    const packet::Dissect d = packet::dissect(answer);
    EXPECT_EQ("192.0.2.10", d.source().text());
    EXPECT_EQ(40000, d.destination_port());
    EXPECT_EQ(0x12, d.tcp_flags());
    EXPECT_NE(1001U, d.tcp_ack());
    Packet reset = ipv4({}, 6, tcp(40000, 443, 0x04, {}, ""));
    store_be32(&reset[24], d.tcp_ack());
    fix_checksums(reset);
    EXPECT_TRUE(world.drops(reset, 20 * ms));
    EXPECT_FALSE(world.drops(S(), 30 * ms));
    EXPECT_FALSE(world.drops(D(), 40 * ms));
    EXPECT_FALSE(world.drops(U(), 40 * ms));
}

} // namespace
} // namespace nfqws2::rules
