#include "nfqws2/rules/lookup.hpp"

#include "world.hpp"

namespace nfqws2::rules {
namespace {

using test_packets::lines;

std::shared_ptr<const InForce> read(const std::string& text) {
    const Compiled compiled = compile_text("version = 1\n" + text, "test.toml");
    EXPECT_EQ("", lines(compiled.errors)) << text;
    std::string error;
    std::vector<std::string> warnings;
    return read_data(compiled.program, {}, &error, &warnings);
}

std::string found(const InForce& rules, const char* address) {
    std::string text;
    for (const SetWithAddress& set : sets_with(rules, *IpAddress::parse(address))) {
        text += set.name + (set.profile.empty() ? "" : " of " + set.profile);
        if (set.value) text += "=" + std::to_string(*set.value);
        for (const std::string& rule : set.rules)
            text += ", " + rule;
        text += set.more_rules ? ", ...; " : "; ";
    }
    return text;
}

TEST(Lookup, NamesSetsAndWhoAsksThem) {
    const auto rules = read(R"(
[set.wide]
prefixes = ["10.0.0.0/8", "2001:db8::/32"]
[set.valued]
prefixes = ["10.0.0.0/8=1", "10.1.0.0/16=2"]
[set.idle]
prefixes = "10.0.0.0/8"
[[profile]]
name = "a"
match = [ { pset = { name = "wide" } } ]
[[profile.rule]]
name = "x"
match = [ { pset = { name = "valued", value = 2 } } ]
action = [ "drop" ]
[[profile]]
name = "b"
[profile.set.own]
prefixes = "10.1.1.1"
[[profile.rule]]
match = [ { not = { pset = { name = "own", what = "dst" } } }, { tpset = { name = "wide" } } ]
action = [ "drop" ]
)");
    EXPECT_EQ("valued=2, a x; wide, a, b b/main#1; own of b, b b/main#1; ",
              found(*rules, "10.1.1.1"));
    EXPECT_EQ("valued=1, a x; wide, a, b b/main#1; ", found(*rules, "10.2.0.0"));
    EXPECT_EQ("wide, a, b b/main#1; ", found(*rules, "2001:db8::1"));
    EXPECT_EQ("", found(*rules, "192.0.2.1"));
    EXPECT_EQ(GeoPlace(), place_of(*rules, *IpAddress::parse("10.1.1.1")));
}

TEST(Lookup, NamesNoMoreThanAHundredRules) {
    std::string text = "[set.s]\nprefixes = \"10.0.0.0/8\"\n[[profile]]\n";
    for (int i = 0; i < 101; i++)
        text +=
            "[[profile.rule]]\nmatch = [ { pset = { name = \"s\" } } ]\naction = [ \"drop\" ]\n";
    const auto rules = read(text);
    const auto sets = sets_with(*rules, *IpAddress::parse("10.0.0.1"));
    ASSERT_EQ(1U, sets.size());
    EXPECT_EQ(SetWithAddress::most_rules, sets[0].rules.size());
    EXPECT_TRUE(sets[0].more_rules);
}

} // namespace
} // namespace nfqws2::rules
