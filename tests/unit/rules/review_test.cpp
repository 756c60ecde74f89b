// What --check tells of rules that cannot do what they are there for.
#include "nfqws2/rules/compile.hpp"
#include "world.hpp"

#include <string>

namespace nfqws2::rules {
namespace {

using test_packets::lines;

constexpr const char* measure = R"([[profile.rule]]
name = "measure"
action = [ { ratelimit = { id = 1, pps = { rate = 5 } } } ]
)";
constexpr const char* ask = R"([[profile.rule]]
name = "ask"
match = [ { verdict = { ratelimit = "exceed" } } ]
action = [ "drop" ]
)";
const std::string head = "version = 1\n[[profile]]\n";

std::string warnings(const std::string& text) {
    const Compiled compiled = compile_text(text, "f.toml");
    EXPECT_EQ("", lines(compiled.errors)) << text;
    return lines(compiled.warnings);
}
std::string errors(const std::string& text) {
    return lines(compile_text(text, "f.toml").errors);
}

TEST(Review, VerdictsOfLaterRules) {
    EXPECT_EQ("", warnings(head + measure + ask));
    EXPECT_EQ("f.toml:3:1: in rule 'ask': a verdict of 'ratelimit' is asked, but no rule before "
              "this one sets it\n",
              warnings(head + ask + measure));
    // The rule before asks another algorithm.
    EXPECT_NE("", warnings(head + "[[profile.rule]]\naction = [ { sample = { n = 2 } } ]\n" + ask +
                           measure));
    // Only one profile judges a packet.
    EXPECT_NE("", warnings("version = 1\n[[profile]]\nmatch = [ { dport = 1 } ]\n" +
                           std::string(measure) + "[[profile]]\n" + ask));
    const std::string told = warnings(
        "version = 1\n[[profile]]\nmatch = [ { verdict = { ratelimit = \"exceed\" } } ]\n" +
        std::string(measure));
    EXPECT_EQ("f.toml:2:1: a verdict is asked by the match of a profile: no rule can have set one "
              "before\n",
              told);
}

// A chain is entered with what was set on any way to it.
TEST(Review, VerdictsAcrossChains) {
    const std::string go =
        "[[profile.rule]]\nmatch = [ { dport = 1 } ]\naction = [ { goto = \"c\" } ]\n";
    const std::string chain = R"([[profile.chain]]
name = "c"
[[profile.chain.rule]]
name = "ask"
match = [ { verdict = { ratelimit = "exceed" } } ]
action = [ "drop" ]
)";
    EXPECT_EQ("", warnings(head + measure + go + chain));
    EXPECT_NE(
        std::string::npos,
        warnings(head + go + measure + chain).find("in rule 'ask': a verdict of 'ratelimit'"));
    const std::string other =
        "[[profile.rule]]\nmatch = [ { dport = 2 } ]\naction = [ { goto = \"c\" } ]\n";
    EXPECT_EQ("", warnings(head + other + measure + go + chain));
}

TEST(Review, ChainsThatNobodyGoesTo) {
    const std::string chain = "[[profile.chain]]\nname = \"c\"\n[[profile.chain.rule]]\n"
                              "action = [ { goto = \"d\" } ]\n[[profile.chain]]\nname = \"d\"\n";
    EXPECT_EQ("f.toml:3:1: no rule goes to the chain 'c'\nf.toml:7:1: no rule goes to the chain "
              "'d'\n",
              warnings(head + chain));
    EXPECT_EQ("", warnings(head + "[[profile.rule]]\naction = [ { goto = \"c\" } ]\n" + chain));
}

// Each of the earlier profiles takes a part.
TEST(Review, ProfilesThatOthersHideTogether) {
    const auto profile = [](const std::string& match) {
        return "[[profile]]\nmatch = [ " + match + " ]\n";
    };
    const std::string one = profile("{ src = \"10.0.0.0/8\" }");
    const std::string two = profile("{ src = [\"172.16.0.0/12\", \"fd00::/8\"] }");
    const std::string both = profile("{ dport = 1 }, { src = [\"10.1.0.0/16\", \"fd00::1\"] }");
    EXPECT_EQ("f.toml:6:1: profile '3' is never chosen: profiles before it take all its packets "
              "together\n",
              warnings("version = 1\n" + one + two + both));
    EXPECT_EQ("", warnings("version = 1\n" + two + both));
    // Only some of the packets, another end, or more than these.
    const std::string some = profile("{ src = \"10.0.0.0/8\" }, { dport = 2 }");
    EXPECT_EQ("", warnings("version = 1\n" + some + two + both));
    EXPECT_EQ("", warnings("version = 1\n" + profile("{ dst = \"10.0.0.0/8\" }") + two + both));
    EXPECT_EQ("", warnings("version = 1\n" + one + two +
                           profile("{ src = [\"10.1.0.0/16\", \"192.0.2.0/24\"] }")));
}

TEST(Review, PresetsThatNobodyUses) {
    const std::string preset = R"([preset.p]
params = { port = 70000 }
[[preset.p.rule]]
match = [ { dport = "$port" }, { pset = { name = "of a profile" } } ]
action = [ { goto = "of a profile" } ]
[[preset.p.rule]]
match = [ { dprot = 1 } ]
[preset.without-a-default]
[[preset.without-a-default.rule]]
match = [ { dport = "$port" } ]
action = [ "drop" ]
)";
    const std::string told = warnings("version = 1\n" + preset);
    EXPECT_NE(std::string::npos,
              told.find("f.toml:5:21: in preset 'p': a number 0..65535 is needed here"))
        << told;
    EXPECT_NE(std::string::npos, told.find("f.toml:8:13: in preset 'p': unknown match 'dprot'"))
        << told;
    EXPECT_NE(std::string::npos, told.find("in preset 'p': a rule needs 'action'")) << told;
    EXPECT_EQ(3, std::count(told.begin(), told.end(), '\n')) << told;
}

TEST(Review, CountriesNeedADatabase) {
    const char* const geo = "{ not = { geoip = { country = \"RU\" } } }";
    const std::string in_rule = head + "[[profile.rule]]\nmatch = [ { dir = \"in\" }, " + geo +
                                " ]\naction = [ \"drop\" ]\n";
    EXPECT_EQ("f.toml:3:1: in rule '1/main#1': 'geoip' needs a database: the file has no [geoip]\n",
              errors(in_rule));
    EXPECT_EQ("f.toml:2:1: 'geoip' needs a database: the file has no [geoip]\n",
              errors(head + "match = [ " + geo + " ]\n"));
    EXPECT_EQ("", errors(in_rule + "enabled = false\n"));
    EXPECT_EQ("", errors(in_rule + "[geoip]\nfile = \"places.mmdb\"\n"));
}

TEST(Review, FewKnownWordsAreListed) {
    const auto told = [](const std::string& match) {
        return errors(head + "[[profile.rule]]\nmatch = [ " + match +
                      " ]\naction = [ \"drop\" ]\n");
    };
    EXPECT_NE(std::string::npos, told("{ dir = \"sideways\" }").find("; known: out in"));
    EXPECT_NE(std::string::npos,
              told("{ frag = \"middle\" }").find("; known: any df first last internal unfrag"));
    EXPECT_NE(std::string::npos, told("{ icmp = { type = \"redirect\", code = \"xyz\" } }")
                                     .find("; known: net host tos_net tos_host"));
    EXPECT_NE(std::string::npos, told("{ icmp6 = { type = \"xyzzy\" } }").find(" echo_request "));
    EXPECT_EQ(std::string::npos, told("{ dir = \"inn\" }").find("; known"));
}

TEST(Review, SamplesChooseInOneWay) {
    const auto sample = [](const char* arguments) {
        return errors(head + "[[profile.rule]]\naction = [ { sample = { n = 2, " + arguments +
                      " } } ]\n");
    };
    EXPECT_EQ("", sample("how = \"random\""));
    EXPECT_EQ("", sample("how = \"every\", key = [\"l3_src\"]"));
    EXPECT_NE(std::string::npos,
              sample("how = \"random\", key = [\"l3_src\"]").find("'key' chooses whole flows"));
}

} // namespace
} // namespace nfqws2::rules
