#include "app/options/option_parser.hpp"

#include <gtest/gtest.h>

namespace nfqws2::app {
namespace {

constexpr OptionName names[] = {
    {"debug", Arg::optional, false},      {"daemon", Arg::none, false},
    {"qnum", Arg::required, false},       {"version", Arg::none, false},
    {"hostlist", Arg::required, false},   {"hostlist-auto", Arg::required, false},
    {"lua-init", Arg::required, false},   {"lua-gc", Arg::required, false},
    {"lua-desync", Arg::required, false}, {"server", Arg::optional, false},
    {"seed", Arg::required, true},        {"pcap-in", Arg::required, true},
    {"pcap-out", Arg::required, true},    {"help", Arg::none, true},
};

// The options found as "name=value" ("name" without value), then "error: ..." if any.
std::vector<std::string> parse(const std::vector<std::string>& words, bool stop = false) {
    Arguments arguments;
    arguments.program = "nfqws2";
    for (const auto& w : words)
        arguments.words.push_back({w, 0});
    OptionParser parser(arguments, names, stop);
    std::vector<std::string> out;
    for (;;) {
        switch (parser.next()) {
        case OptionParser::Step::end:
            return out;
        case OptionParser::Step::error:
            out.push_back("error: " + parser.error() + " (" +
                          arguments.where(parser.option().position) + ")");
            return out;
        case OptionParser::Step::option: {
            std::string text = names[parser.option().index].name;
            if (parser.option().value) text += "=" + *parser.option().value;
            out.push_back(text);
        }
        }
    }
}

using Texts = std::vector<std::string>;

TEST(OptionParser, FormsOfOneOption) {
    const Texts wanted{"qnum=5"};
    EXPECT_EQ(parse({"--qnum=5"}), wanted);
    EXPECT_EQ(parse({"-qnum=5"}), wanted);
    EXPECT_EQ(parse({"--qnum", "5"}), wanted);
    EXPECT_EQ(parse({"-qnum", "5"}), wanted);
    EXPECT_EQ(parse({"--qn=5"}), wanted);
    EXPECT_EQ(parse({"-q", "5"}), wanted);
    EXPECT_EQ(parse({"--ver"}), Texts{"version"});
}

TEST(OptionParser, LettersThatPeopleTryFirst) {
    EXPECT_EQ(parse({"-h"}), Texts{"help"});
    EXPECT_EQ(parse({"-?"}), Texts{"help"});
    EXPECT_EQ(parse({"-V"}), Texts{"version"});
    EXPECT_EQ(parse({"--V"}).at(0).substr(0, 6), "error:");
    EXPECT_EQ(parse({"-h=1"}).at(0).substr(0, 6), "error:");
}

TEST(OptionParser, RequiredValueTakesAnyNextWord) {
    EXPECT_EQ(parse({"--qnum", "--daemon"}), Texts{"qnum=--daemon"});
    EXPECT_EQ(parse({"--qnum", "--"}), Texts{"qnum=--"});
    EXPECT_EQ(parse({"--qnum="}), Texts{"qnum="});
    EXPECT_EQ(parse({"--lua-init=a=b"}), Texts{"lua-init=a=b"});
}

TEST(OptionParser, OptionalValueOnlyByEqualSign) {
    EXPECT_EQ(parse({"--debug", "1"}), Texts{"debug"});
    EXPECT_EQ(parse({"--debug=1"}), Texts{"debug=1"});
    EXPECT_EQ(parse({"--debug="}), Texts{"debug="});
}

TEST(OptionParser, ExactNameWins) {
    EXPECT_EQ(parse({"--hostlist=f"}), Texts{"hostlist=f"});
    EXPECT_EQ(parse({"--hostlist-=f"}), Texts{"hostlist-auto=f"});
}

TEST(OptionParser, WordsAreIgnoredAnywhere) {
    EXPECT_EQ(parse({"a", "--daemon", "-", "b", "--qnum=1", "c"}), (Texts{"daemon", "qnum=1"}));
    EXPECT_EQ(parse({"--daemon", "--", "--qnum=1"}), Texts{"daemon"});
    EXPECT_EQ(parse({}), Texts{});
}

TEST(OptionParser, PosixlyCorrectStopsAtFirstWord) {
    EXPECT_EQ(parse({"--daemon", "a", "--qnum=1"}, true), Texts{"daemon"});
    EXPECT_EQ(parse({"--daemon", "-", "--qnum=1"}, true), Texts{"daemon"});
}

TEST(OptionParser, Messages) {
    EXPECT_EQ(parse({"--daemon", "--foo"}),
              (Texts{"daemon", "error: unrecognized option '--foo' (argument 2)"}));
    EXPECT_EQ(parse({"-x"}), Texts{"error: unrecognized option '-x' (argument 1)"});
    EXPECT_EQ(parse({"--qnum"}), Texts{"error: option '--qnum' requires an argument (argument 1)"});
    EXPECT_EQ(parse({"--daemon=1"}),
              Texts{"error: option '--daemon' doesn't allow an argument (argument 1)"});
    EXPECT_EQ(parse({"--lua=3"}),
              Texts{"error: option '--lua=3' is ambiguous; possibilities: '--lua-init' '--lua-gc' "
                    "'--lua-desync' (argument 1)"});
    EXPECT_EQ(parse({"--=3"}).at(0).substr(0, 26), "error: unrecognized option");
}

TEST(OptionParser, NearestName) {
    EXPECT_EQ(parse({"--hostlits=f"}),
              Texts{"error: unrecognized option '--hostlits'; did you mean '--hostlist'? "
                    "(argument 1)"});
}

TEST(OptionParser, NamesInOtherOrderAndOfOtherPrograms) {
    EXPECT_EQ(nearest_option("init-lua", names), "lua-init");
    EXPECT_EQ(nearest_option("auto-hostlist", names), "hostlist-auto");
    EXPECT_EQ(nearest_option("usage", names), "help");
    EXPECT_EQ(nearest_option("?", names), "help");
    EXPECT_EQ(nearest_option("queue-num", names), "qnum");
    EXPECT_EQ(nearest_option("nothing-like-it", names), "");
    EXPECT_TRUE(parse({"-h=1"}).at(0).ends_with("'-hostlist-auto'; did you mean '--help'? "
                                                "(argument 1)"));
}

TEST(OptionParser, IgnoredWordsAreRemembered) {
    Arguments arguments{
        "x", "", {{"a", 0}, {"--qnum", 0}, {"1", 0}, {"b", 0}, {"--", 0}, {"c", 0}}};
    OptionParser parser(arguments, names, false);
    EXPECT_EQ(parser.next(), OptionParser::Step::option);
    EXPECT_EQ(parser.next(), OptionParser::Step::end);
    EXPECT_EQ(parser.ignored(), (std::vector<std::size_t>{0, 3, 5}));
}

TEST(OptionParser, OwnOptionsMakeNoAbbreviationAmbiguous) {
    EXPECT_EQ(parse({"--se"}), Texts{"server"});
    EXPECT_EQ(parse({"--see=1"}), Texts{"seed=1"});
    EXPECT_EQ(parse({"--seed=1"}), Texts{"seed=1"});
    EXPECT_EQ(parse({"--pcap-i=f"}), Texts{"pcap-in=f"});
    EXPECT_EQ(parse({"--pcap=f"}).at(0),
              "error: option '--pcap=f' is ambiguous; possibilities: '--pcap-in' '--pcap-out' "
              "(argument 1)");
}

TEST(OptionParser, PositionsAreThoseOfTheWords) {
    Arguments arguments{"x", "my.conf", {{"word", 1}, {"--daemon", 2}, {"--nothing", 7}}};
    OptionParser parser(arguments, names, false);
    ASSERT_EQ(parser.next(), OptionParser::Step::option);
    EXPECT_EQ(parser.option().position, 1U);
    ASSERT_EQ(parser.next(), OptionParser::Step::error);
    EXPECT_EQ(arguments.where(parser.option().position), "my.conf:7");
}

} // namespace
} // namespace nfqws2::app
