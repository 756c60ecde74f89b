#include "nfqws2/rules/compile.hpp"

#include "nfqws2/base/file.hpp"
#include "rules/reader.hpp"
#include "world.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace nfqws2::rules {
namespace {

using test_packets::lines;

std::string errors(const std::string& text) {
    return lines(compile_text(text, "f.toml").errors);
}
std::string warnings(const std::string& text) {
    return lines(compile_text(text, "f.toml").warnings);
}
// Of a rule with that match and action, on lines 4 and 5.
std::string rule(const std::string& match, const std::string& action = "[\"drop\"]") {
    return "version = 1\n[[profile]]\n[[profile.rule]]\nmatch = " + match + "\naction = " + action +
           "\n";
}

TEST(Compile, OnlyTheVersionIsNeeded) {
    EXPECT_EQ("", errors("version = 1\n"));
    EXPECT_EQ("f.toml:1:1: a rules file needs 'version'\n", errors(""));
    EXPECT_NE(std::string::npos,
              errors("version = 2\n").find("f.toml:1:11: version 2: this program reads version 1"));
    EXPECT_NE(
        std::string::npos,
        errors("version = \"1\"\n").find("f.toml:1:11: the number 1 is needed here, not text"));
    EXPECT_EQ(
        "f.toml:1:1: this file is for 'include' in a file of rules: it has no 'version' and no "
        "profile\n",
        errors("[set.a]\nprefixes = [\"10.0.0.0/8\"]\n"));
}

TEST(Compile, SyntaxErrorsEndTheFile) {
    const std::string text = errors("version = 1\n[[profile]\nname = \n");
    EXPECT_TRUE(text.starts_with("f.toml:2:")) << text;
    EXPECT_EQ(1, std::count(text.begin(), text.end(), '\n')) << text;
}

TEST(Compile, ErrorsNameTheirPlaceAndTheNearestWord) {
    EXPECT_EQ("f.toml:4:24: in rule '1/main#1': unknown protocol 'tpc', did you mean 'tcp'?\n",
              errors(rule("[ { protocol = \"tpc\" } ]")));
    const struct {
        const char *match, *text;
    } wrong[] = {
        {"[ { dprot = 53 } ]", "unknown match 'dprot', did you mean 'dport'?"},
        {"[ { dport = 65536 } ]", "a number 0..65535 is needed here"},
        {"[ { dport = \"9-3\" } ]", "a range A-B, A <= B"},
        {"[ { dport = true } ]", "a number is needed here, not true or false"},
        {"[ { dport = { port = 1 } } ]", "a plain value is needed here, not a table"},
        {"[ { src = \"10.0.0.1/8\" } ]", "has host bits, the network is 10.0.0.0/8"},
        {"[ { src = \"x\" } ]", "is no address or prefix"},
        {"[ { src = [] } ]", "at least one prefix"},
        {"[ { len = 5 } ]", "a table of arguments is needed here, not a number"},
        {"[ { len = { } } ]", "'len' needs 'len'"},
        {"[ { len = { len = 1, levle = \"net\" } } ]",
         "unknown key 'levle' of 'len', did you mean 'level'?"},
        {"[ { frag = \"middle\" } ]", "unknown kind of fragment 'middle'"},
        {"[ { tcpflags = { flags = [\"syn\"], mask = [\"ack\"] } } ]", "it would never hold"},
        {"[ { tcpflags = { flags = [\"synn\"] } } ]", "did you mean 'syn'?"},
        {"[ { tcpopts = { set = [\"MSS\"] } } ]", "'tcpopts' needs 'mask'"},
        {"[ { icmp = { type = \"redirect\", code = \"port\" } } ]",
         "unknown code of this type 'port'"},
        {"[ { icmp = { type = [3, 4], code = 1 } } ]", "a code needs one type"},
        {"[ { pset = { name = \"none\" } } ]", "unknown set 'none'"},
        {"[ { geoip = { what = \"src\" } } ]", "'geoip' needs 'country' or 'continent'"},
        {"[ { geoip = { continent = \"XX\" } } ]", "is no continent"},
        {"[ { hmark = { id = 0 } } ]", "a number 1..255"},
        {"[ { hmark = { id = 1, age_op = \"eq\" } } ]", "'age_op' needs 'age_value'"},
        {"[ { hmark = { id = 1, age_op = \"bw\", age_value = \"5m\" } } ]", "two durations"},
        {"[ { verdict = { rate = \"violate\" } } ]", "unknown value of this algorithm 'violate'"},
        {"[ { seq = { } } ]", "'seq' needs one of 'seq' and 'b64seq'"},
        {"[ { seq = { b64seq = \"!\" } } ]", "this is not base64"},
        {"[ { not = { not = { dport = 1 } } } ]", "'not' in a 'not'"},
        {"[ \"drop\" ]", "a match is a table with one key"},
        {"{ dport = 1 }", "an array of matches is needed here"},
        {"[ { dir = \"up\" } ]", "unknown direction 'up'"},
        {"[ { ifin = \"\" } ]", "the name of an interface"},
        {"[ { fwmark = \"1/x\" } ]", "a mark VALUE or VALUE/MASK"},
        {"[ { spi = \"a\" } ]", "a number 0..4294967295"},
        {"[ { ttl = 256 } ]", "a number 0..255"},
        {"[ { dport = 1.5 } ]", "not a value of another kind"},
    };
    for (const auto& one : wrong) {
        const std::string text = errors(rule(one.match));
        EXPECT_NE(std::string::npos, text.find(one.text)) << one.match << "\n" << text;
        EXPECT_TRUE(text.starts_with("f.toml:4:")) << text;
    }
    const struct {
        const char *action, *text;
    } wrong_actions[] = {
        {"[\"dorp\"]", "unknown action 'dorp', did you mean 'drop'?"},
        {"[]", "at least one action"},
        {"[\"drop\", { stats = \"A\" }]", "action behind 'drop' is never reached"},
        {"[\"stats\"]", "'stats' needs arguments"},
        {"[{ drop = 1 }]", "'drop' takes no arguments"},
        {"[{ stats = \"a b\" }]", "a name of 1 to 64"},
        {"[{ goto = \"nowhere\" }]", "unknown chain 'nowhere'"},
        {"[{ mark = { how = \"inc\", value = 1 } }]", "'inc' takes no 'value'"},
        {"[{ mark = { how = \"div\" } }]", "a division by 0"},
        {"[{ hmark = { value = 1 } }]", "'hmark' needs 'id'"},
        {"[{ hmark = { id = 1, lifetime = \"5 minutes\" } }]", "is no duration"},
        {"[{ ratelimit = { id = 1 } }]", "'ratelimit' needs 'pps' or 'bps'"},
        {"[{ ratelimit = { id = 1, pps = { rate = \"1x\" } } }]", "is no rate"},
        {"[{ ratelimit = { id = 1, key = [\"any\", \"l3_src\"], pps = { rate = 1 } } }]",
         "'any' stands alone"},
        {"[{ sample = { n = 0 } }]", "a number 1.."},
        {"[{ tcpauth = { id = 1, syn_ack = \"synack\" } }]", "unknown method 'synack'"},
        {"[{ verdict = { op = \"set\" } }]", "\"set\" needs the value"},
        {"[{ verdict = \"set\" }]", "unknown operation 'set'"},
        {"[{ pass = { to = \"uh\" } }]", "needs 'level'"},
        {"[{ pass = { to = \"os\", vid = 4096 } }]", "a number 0..4095"},
        {"[{ pass = { to = \"os\", mac = \"1:2\" } }]", "a hardware address"},
        {"[{ capture = \"yes\" }]", "unknown state 'yes'"},
        {"[{ snat = [\"10.0.0.1\", \"10.0.0.2\"] }]", "more than one prefix of one family"},
    };
    for (const auto& one : wrong_actions) {
        const std::string text = errors(rule("[]", one.action));
        EXPECT_NE(std::string::npos, text.find(one.text)) << one.action << "\n" << text;
        EXPECT_TRUE(text.starts_with("f.toml:5:")) << text;
    }
}

TEST(Compile, TellsAtMostTwentyErrors) {
    std::string text = "version = 1\n[[profile]]\n";
    for (int i = 0; i < 30; i++)
        text += "[[profile.rule]]\naction = [\"dorp\"]\n";
    const std::string told = errors(text);
    EXPECT_EQ(21, std::count(told.begin(), told.end(), '\n'));
    EXPECT_TRUE(told.ends_with("f.toml: there may be more errors behind these\n")) << told;
}

TEST(Compile, MetersOfOneIdAgree) {
    const std::string head = "version = 1\n[[profile]]\n";
    const auto limit = [](const char* more) {
        return std::string("[[profile.rule]]\naction = [{ ratelimit = { id = 1, pps = { rate = ") +
               more + " } } }]\n";
    };
    EXPECT_EQ("", errors(head + limit("5") + limit("5")));
    EXPECT_NE(std::string::npos,
              errors(head + limit("5") + limit("\"5k\"")).find("has other parameters"));
}

TEST(Compile, NamesAreUnique) {
    EXPECT_NE(std::string::npos,
              errors("version = 1\n[[profile]]\nname = \"a\"\n[[profile]]\nname = \"a\"\n")
                  .find("there is a profile 'a' already"));
    EXPECT_NE(std::string::npos, errors("version = 1\n[[profile]]\n[[profile.chain]]\nname = "
                                        "\"main\"\n")
                                     .find("there is a chain 'main' already"));
}

TEST(Compile, GotoMustNotLeadRound) {
    const std::string text = errors("version = 1\n[[profile]]\n[[profile.rule]]\n"
                                    "action = [{ goto = \"a\" }]\n[[profile.chain]]\nname = \"a\"\n"
                                    "[[profile.chain.rule]]\naction = [{ goto = \"main\" }]\n");
    EXPECT_NE(std::string::npos, text.find("'goto' leads round in a circle")) << text;
}

const char* const preset = R"(version = 1
[preset.limit]
comment = "text"
params = { rate = 500, block = "5m" }
[[preset.limit.rule]]
match = [ { protocol = "udp" } ]
action = [ { ratelimit = { id = 8, pps = { rate = "$rate" } } } ]
[[preset.limit.rule]]
action = [ { hmark = { id = 2, lifetime = "$block" } } ]
)";

TEST(Compile, PresetsStandForTheirRules) {
    const Compiled compiled =
        compile_text(std::string(preset) + "[[profile]]\nname = \"p\"\n[[profile.rule]]\n"
                                           "preset = \"limit\"\nparams = { rate = 7 }\n",
                     "f.toml");
    ASSERT_EQ("", lines(compiled.errors));
    const Program& program = *compiled.program;
    ASSERT_EQ(2U, program.rules.size());
    EXPECT_EQ("p/main#1", program.rules[0].name);
    ASSERT_EQ(1U, program.ratelimits.size());
    EXPECT_EQ(7U, program.ratelimits[0].parameters.pps.rate);
    EXPECT_EQ(300'000'000'000, std::get<action::StoredMark>(program.actions[1]).lifetime_ns);
    EXPECT_EQ(std::vector<std::string>{"limit: f.toml"}, compiled.presets);
}

TEST(Compile, PresetsTellWhatIsMissing) {
    const std::string use = "[[profile]]\n[[profile.rule]]\npreset = ";
    EXPECT_NE(
        std::string::npos,
        errors(preset + use + "\"limt\"\n").find("unknown preset 'limt', did you mean 'limit'?"));
    EXPECT_NE(std::string::npos, errors(preset + use + "\"limit\"\nparams = { rat = 1 }\n")
                                     .find("unknown parameter 'rat', did you mean 'rate'?"));
    EXPECT_NE(
        std::string::npos,
        errors("version = 1\n[[preset.a.rule]]\naction = [{ stats = \"$x\" }]\n" + use + "\"a\"\n")
            .find("the parameter 'x' has no value"));
    EXPECT_NE(std::string::npos, errors("version = 1\n[[preset.a.rule]]\npreset = \"a\"\n")
                                     .find("a preset inside of a preset"));
}

TEST(Compile, DisabledRulesAreCheckedAndLeftOut) {
    const std::string off =
        "version = 1\n[[profile]]\n[[profile.rule]]\nenabled = false\naction = ";
    EXPECT_TRUE(compile_text(off + "[\"drop\"]\n", "f").program->rules.empty());
    EXPECT_NE("", errors(off + "[\"dorp\"]\n"));
}

TEST(Compile, IncludesPresetsAndSetsOnly) {
    char directory[] = "/tmp/nfqws2-rules-XXXXXX";
    ASSERT_NE(nullptr, mkdtemp(directory));
    const std::string more = std::string(directory) + "/more.toml";
    const std::string main = std::string(directory) + "/main.toml";
    std::ofstream(more) << preset << "[set.a]\nprefixes = [\"10.0.0.0/8\"]\n";
    std::ofstream(main) << "version = 1\ninclude = [\"more.toml\"]\n[[profile]]\n[[profile.rule]]\n"
                           "preset = \"limit\"\n";
    const Compiled compiled = compile_file(main);
    EXPECT_EQ("", lines(compiled.errors));
    EXPECT_EQ((std::vector<std::string>{main, more}), compiled.files);
    std::ofstream(more) << "[[profile]]\n";
    EXPECT_NE(std::string::npos,
              lines(compile_file(main).errors).find("unknown key 'profile' of an included file"));
    std::remove(more.c_str());
    EXPECT_NE("", lines(compile_file(main).errors));
    std::remove(main.c_str());
    rmdir(directory);
}

// To open a named pipe would wait for a writer.
TEST(Compile, NamesRegularFilesOnly) {
    char directory[] = "/tmp/nfqws2-rules-XXXXXX";
    ASSERT_NE(nullptr, mkdtemp(directory));
    const std::string pipe = std::string(directory) + "/pipe";
    ASSERT_EQ(0, mkfifo(pipe.c_str(), 0600));
    const auto refused = [&](const std::string& key, const std::string& place) {
        const std::string told = errors("version = 1\n" + key + "\"" + pipe + "\"\n");
        EXPECT_NE(std::string::npos, told.find(place + ": " + pipe + ": not a regular file"))
            << told;
    };
    refused("include = ", ":2:11");
    refused("[set.a]\nfile = ", ":3:8");
    refused("[geoip]\nfile = ", ":3:8");
    EXPECT_EQ(pipe + ": not a regular file\n", lines(compile_file(pipe).errors));
    std::remove(pipe.c_str());
    rmdir(directory);
}

// Three bad lines of a set are shown, the others counted.
TEST(Compile, BadLinesOfSetsAreCounted) {
    char path[] = "/tmp/nfqws2-rules-XXXXXX";
    const int fd = mkstemp(path);
    ASSERT_GE(fd, 0);
    close(fd);
    const auto told = [&](const char* lines_of_file) {
        std::ofstream(path) << lines_of_file;
        const Compiled compiled =
            compile_text("version = 1\n[set.a]\nfile = \"" + std::string(path) +
                             "\"\n[[profile]]\nmatch = [ { pset = { name = "
                             "\"a\" } } ]\n",
                         "f.toml");
        EXPECT_EQ("", lines(compiled.errors));
        std::string error;
        std::vector<std::string> warnings;
        EXPECT_NE(nullptr, read_data(compiled.program, {}, &error, &warnings)) << error;
        return warnings;
    };
    EXPECT_EQ(3U, told("10.0.0.0/8\nx\ny\nz\n").size());
    const auto many = told("v\nw\n10.0.0.0/8\nx\ny\nz\n");
    ASSERT_EQ(4U, many.size());
    EXPECT_EQ(std::string(path) + ": 2 more lines are no networks", many.back());
    unlink(path);
}

TEST(Compile, PresetsStayBounded) {
    std::string text = "version = 1\n[preset.a]\nparams = { x = [";
    for (int i = 0; i < 2000; i++)
        text += "\"10.0.0.0/8\",";
    text +=
        "] }\n[[preset.a.rule]]\nmatch = [{ src = \"$x\" }]\naction = [\"drop\"]\n[[profile]]\n";
    for (int i = 0; i < 600; i++)
        text += "[[profile.rule]]\npreset = \"a\"\n";
    EXPECT_NE(std::string::npos, errors(text).find("presets become too large"));
}

TEST(Compile, WarnsOfWhatIsOdd) {
    const auto has = [](const std::string& text, const char* what) {
        const std::string told = warnings(text);
        EXPECT_NE(std::string::npos, told.find(what)) << text << told;
    };
    has(rule("[ { hmark = { id = 3 } } ]"), "no rule sets hmark with id 3");
    has(rule("[ { verdict = { rate = \"exceed\" } } ]"), "no action sets one");
    const std::string database = "[geoip]\nfile = \"none.mmdb\"\n";
    has(rule("[ { not = { geoip = { country = \"RU\" } } } ]") + database, "add { dir = \"in\" }");
    has(rule("[ { geoip = { country = \"QQ\" } } ]") + database, "no country has the code 'QQ'");
    has(rule("[]") + "[[profile.rule]]\naction = [\"accept\"]\n", "never reached");
    has(rule("[]", "[{ tcpauth = { id = 1, syn = \"hs\" } }]"), "drops nothing by itself");
    has(rule("[ { protocol = \"vlan\" } ]"), "queues show a link layer on a bridge only");
    has(rule("[]", "[{ pass = { to = \"os\", vid = 5 } }]"), "on a bridge only");
    has(rule("[]", "[{ dnat = \"10.0.0.1\" }]"), "does not route again");
    const std::string dns = "[ { dport = 53 } ]";
    has(rule(dns) + "[[profile.rule]]\nmatch = [ { protocol = \"udp\" }, { dport = 53 } ]\n"
                    "action = [\"accept\"]\n",
        "rule '1/main#2': never reached: rule '1/main#1' ends for all these packets");
    has("version = 1\n[[profile]]\nname = \"a\"\nmatch = [ { dst = [\"10.0.0.0/8\", "
        "\"192.0.2.0/24\"] } ]\n"
        "[[profile]]\nname = \"b\"\nmatch = [ { dst = \"10.1.0.0/16\" }, { dport = 1 } ]\n",
        "profile 'b' is never chosen: profile 'a' before it takes all its packets");
    // Not sure, so not said.
    const auto silent = [](const std::string& text) {
        EXPECT_EQ(std::string::npos, warnings(text).find("never")) << text << warnings(text);
    };
    silent(rule("[ { mark = 1 } ]") +
           "[[profile.rule]]\nmatch = [ { mark = 1 } ]\naction = [\"accept\"]\n");
    silent(rule(dns, "[{ stats = \"A\" }]") +
           "[[profile.rule]]\nmatch = [ { dport = 53 } ]\naction = [\"accept\"]\n");
    silent(rule("[ { src = \"10.0.0.1\" } ]") +
           "[[profile.rule]]\naction = [{ snat = \"10.0.0.1\" }]\n[[profile.rule]]\n"
           "match = [ { src = \"10.0.0.1\" } ]\naction = [\"accept\"]\n");
    silent("version = 1\n[[profile]]\nname = \"a\"\nmatch = [ { dst = \"10.1.0.0/16\" } ]\n"
           "[[profile]]\nname = \"b\"\nmatch = [ { dst = \"10.0.0.0/8\" } ]\n");
    has("version = 1\n[set.a]\nprefixes = [\"10.0.0.0/8\"]\n",
        "f.toml:2:6: the set 'a' is not used");
    has("version = 1\n[[profile]]\nname = \"a\"\n[[profile]]\nname = \"b\"\n",
        "f.toml:4:1: profile 'b' is never chosen");
}

TEST(Compile, ComparesOnlySoManyPrefixes) {
    const auto profiles = [](int count) {
        std::string up, down;
        for (int i = 0; i < count; i++) {
            const auto address = [](int n) {
                return "\"10.0." + std::to_string(n / 256) + "." + std::to_string(n % 256) + "\",";
            };
            up += address(i);
            down += address(count - 1 - i);
        }
        return "version = 1\n[[profile]]\nname = \"a\"\nmatch = [ { dst = [" + up +
               "] } ]\n[[profile]]\nname = \"b\"\nmatch = [ { dst = [" + down + "] } ]\n";
    };
    EXPECT_NE(std::string::npos, warnings(profiles(500)).find("never chosen"));
    EXPECT_EQ(std::string::npos, warnings(profiles(3000)).find("never chosen"));
}

TEST(Compile, LimitsAndRoots) {
    const Compiled compiled = compile_text(
        "version = 1\nlan = [\"10.0.0.0/8\"]\nipv6_source_bits = 56\n[limits]\nmarks = "
        "10_000\nbuckets = 20\nsources = 30\n",
        "f.toml");
    ASSERT_EQ("", lines(compiled.errors));
    EXPECT_EQ(10'000U, compiled.program->limits.marks);
    EXPECT_EQ(56U, compiled.program->ipv6_source_bits);
    EXPECT_EQ(1U, compiled.program->lan.size());
    EXPECT_NE("", errors("version = 1\n[limits]\nmarks = 0\n"));
    EXPECT_NE("", errors("version = 1\npolicy = \"deny\"\n"));
    EXPECT_NE("", errors("version = 1\n[set.\"a b\"]\nprefixes = []\n"));
    EXPECT_NE("", errors("version = 1\n[set.a]\nprefixes = [\"10.0.0.1/8\"]\n"));
    EXPECT_NE("", errors("version = 1\n[set.a]\n"));
}

} // namespace
} // namespace nfqws2::rules
