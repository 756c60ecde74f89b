// Which rules a packet would meet, as far as its headers tell.
#include "nfqws2/rules/preview.hpp"

#include "world.hpp"

namespace nfqws2::rules {
namespace {

std::string text_of(const std::vector<ProfilePreview>& profiles) {
    std::string text;
    const auto depends = [](const std::vector<std::string>& words) {
        std::string out;
        for (const std::string& word : words)
            out += "?" + word;
        return out;
    };
    for (const ProfilePreview& profile : profiles) {
        text += profile.name + depends(profile.depends) + ":";
        for (const RulePreview& rule : profile.rules)
            text +=
                " " + rule.name + depends(rule.depends) + (rule.end.empty() ? "" : "=" + rule.end);
        text += "\n";
    }
    return text;
}

std::string preview_of(const std::string& rules, const Sketch& packet) {
    const Compiled compiled = compile_text("version = 1\n" + rules, "test.toml");
    EXPECT_EQ("", test_packets::lines(compiled.errors));
    std::string error;
    std::vector<std::string> warnings;
    const auto data = read_data(compiled.program, {}, &error, &warnings);
    EXPECT_EQ("", error);
    return data == nullptr ? "" : text_of(preview(*data, packet));
}

Sketch dns() {
    Sketch packet;
    packet.protocol = 17;
    packet.destination = *IpAddress::parse("192.0.2.10");
    packet.destination_port = 53;
    return packet;
}

constexpr const char* profile_all = "[set.ours]\nprefixes = [\"192.0.2.0/24=7\"]\n"
                                    "[[profile]]\nname = \"p\"\n";

std::string one(const std::string& match) {
    return preview_of(std::string(profile_all) + "[[profile.rule]]\nname = \"r\"\nmatch = [" +
                          match + "]\naction = [\"drop\"]\n",
                      dns());
}

TEST(Preview, HeaderFactsAreKnown) {
    EXPECT_EQ("p: r=drop\n",
              one("{ dport = 53 }, { protocol = \"udp\" }, { dst = \"192.0.2.0/24\" }"));
    EXPECT_EQ("p:\n", one("{ dport = 54 }"));
    EXPECT_EQ("p:\n", one("{ protocol = \"tcp\" }"));
    EXPECT_EQ("p:\n", one("{ not = { dport = 53 } }"));
    EXPECT_EQ("p: r=drop\n", one("{ not = { dst = \"10.0.0.0/8\" } }"));
    EXPECT_EQ("p: r=drop\n", one("{ pset = { name = \"ours\", what = \"dst\", value = 7 } }"));
    EXPECT_EQ("p:\n", one("{ pset = { name = \"ours\", what = \"dst\", value = 8 } }"));
    EXPECT_EQ("p: r=drop\n", one("{ dir = \"out\" }"));
    EXPECT_EQ("p:\n", one("{ dir = \"in\" }"));
    EXPECT_EQ("p:\n", one("{ tcpmss = 1400 }"));
    EXPECT_EQ("p:\n", one("{ icmp = { type = 8 } }"));
    EXPECT_EQ("p:\n", one("{ tsrc = \"10.0.0.0/8\" }"));
}

TEST(Preview, OthersDepend) {
    EXPECT_EQ("p: r?src=drop\n", one("{ src = \"10.0.0.0/8\" }"));
    EXPECT_EQ("p: r?sport?hmark=drop\n", one("{ sport = 1 }, { hmark = { id = 1 } }"));
    EXPECT_EQ("p: r?verdict=drop\n", one("{ not = { verdict = { rate = \"exceed\" } } }"));
    EXPECT_EQ("p: r?seq=drop\n", one("{ seq = { seq = \"a\" } }"));
    EXPECT_EQ("p: r?ctstate=drop\n", one("{ ctstate = \"new\" }"));
    EXPECT_EQ("p:\n", one("{ hmark = { id = 1 } }, { dport = 1 }"));
}

TEST(Preview, ARuleThatEndsIsTheLastUnlessItDepends) {
    const std::string rules =
        std::string(profile_all) +
        "[[profile.rule]]\nname = \"a\"\nmatch = [ { mark = 1 } ]\naction = [\"accept\"]\n"
        "[[profile.rule]]\nname = \"b\"\naction = [ { goto = \"more\" } ]\n"
        "[[profile.rule]]\nname = \"c\"\naction = [\"drop\"]\n"
        "[[profile.chain]]\nname = \"more\"\n[[profile.chain.rule]]\nname = \"d\"\naction = [ { "
        "stats = \"D\" } ]\n";
    EXPECT_EQ("p: a?mark=accept b=goto more d\n", preview_of(rules, dns()));
}

TEST(Preview, TheFirstProfileThatHoldsIsTheLast) {
    EXPECT_EQ("b?fwmark:\nc:\n",
              preview_of("[[profile]]\nname = \"a\"\nmatch = [ { dport = 1 } ]\n"
                         "[[profile]]\nname = \"b\"\nmatch = [ { fwmark = 1 } ]\n"
                         "[[profile]]\nname = \"c\"\n[[profile]]\nname = \"d\"\n",
                         dns()));
}

} // namespace
} // namespace nfqws2::rules
