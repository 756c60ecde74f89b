// What --check says of learn, circular, their strategies, detectors and files.
#include "checked.hpp"

#include <sys/stat.h>

namespace nfqws2::app {
namespace {

const LuaGlobals with_detectors = {
    {"detect_silence", "function"}, {"detect_cutoff", "function"}, {"success_bytes", "function"}};

Lines of_detectors(const std::string& range, const std::string& arguments,
                   const LuaGlobals& globals = with_detectors) {
    return Checked({"--in-range=" + range, "--lua-desync=learn:" + arguments})
        .detectors(globals)
        .findings();
}

TEST(CheckDetectors, SeeWhatTheyLookAt) {
    const std::string all = "success_detector=success_bytes:"
                            "failure_detector=detect_silence+detect_cutoff:in_pkts=";
    EXPECT_EQ(of_detectors("-s25000", all + "20"), Lines());
    EXPECT_EQ(of_detectors("a", all + "all"), Lines());
    EXPECT_EQ(of_detectors("a", "to=8000:bytes=8000:" + all + "10"), Lines());
    EXPECT_EQ(of_detectors("a", "failure_detector=detect_cutoff:in_pkts=10"),
              (Lines{"warning 2: detect_cutoff looks at 24576 bytes of reply, which do not fit "
                     "into 10 packets (instance learn_1_1)"}));
    EXPECT_EQ(of_detectors("-s5000", "success_detector=success_bytes:in_pkts=20"),
              (Lines{"warning 2: success_bytes looks at 24576 bytes of reply, --in-range "
                     "a0-s5000 ends before (instance learn_1_1)"}));
    EXPECT_EQ(of_detectors("x", "failure_detector=detect_silence:in_pkts=20"),
              (Lines{"warning 2: detect_silence sees no answers: --in-range lets none through "
                     "(instance learn_1_1)"}));
}

Lines of_strategies(const std::vector<std::string>& instances) {
    return Checked(instances_of(instances)).strategies().findings();
}

TEST(CheckStrategies, AreNumberedWithoutGaps) {
    EXPECT_EQ(of_strategies({"learn:key=k", "a:strategy=1", "b", "c:strategy=2", "d:strategy=2"}),
              Lines());
    EXPECT_EQ(of_strategies({"a:strategy=7", "b"}), Lines()) << "nobody chooses";
    EXPECT_EQ(of_strategies({"circular", "a:strategy=%which"}), Lines()) << "known when it runs";
    EXPECT_EQ(of_strategies({"a:strategy=1", "circular", "b"}),
              (Lines{"error 2: no strategy follows: instances after it need strategy=1, "
                     "strategy=2 and so on (instance circular_1_2)"}));
    EXPECT_EQ(of_strategies({"learn", "a:strategy=1", "b:strategy=3"}),
              (Lines{"error 1: strategies are numbered from 1 without gaps, 2 is missing "
                     "(instance learn_1_1)"}));
    for (const char* number : {"0", "x", "-1"})
        EXPECT_EQ(of_strategies({"learn", std::string("a:strategy=") + number}),
                  (Lines{std::string("error 1: strategy=") + number +
                         " of a_1_2: strategies are numbered from 1 (instance learn_1_1)"}));
}

TEST(CheckStrategies, NumbersAreNumbers) {
    EXPECT_EQ(of_strategies({"learn:fails=2:explore=0.1:retry=%r", "a:strategy=1"}), Lines());
    EXPECT_EQ(of_strategies({"learn:fails=two", "a:strategy=1"}),
              (Lines{"warning 1: fails=two is no number, the default is taken "
                     "(instance learn_1_1)"}));
}

TEST(CheckStrategies, NumbersAreWithinReason) {
    const std::pair<const char*, const char*> bad[] = {
        {"retry=-1", "0 or more"}, {"memory=0", "more than 0"},  {"time=-5", "more than 0"},
        {"fails=0", "1 or more"},  {"explore=5", "from 0 to 1"}, {"explore=nan", "from 0 to 1"}};
    for (const auto& [argument, wanted] : bad)
        EXPECT_EQ(of_strategies({std::string("learn:") + argument, "a:strategy=1"}),
                  (Lines{std::string("warning 1: ") + argument + ": it should be " + wanted +
                         " (instance learn_1_1)"}));
    EXPECT_EQ(of_strategies({"learn:retry=0:memory=0.5:explore=1:fails=1", "a:strategy=1"}),
              Lines());
}

TEST(CheckStrategies, NamesNameSomething) {
    for (const char* argument : {"groups", "patterns", "success_detector", "failure_detector"})
        EXPECT_EQ(of_strategies({std::string("circular:") + argument + "=", "a:strategy=1"}),
                  (Lines{std::string("error 1: ") + argument +
                         "= is empty: leave it out or name something (instance circular_1_1)"}));
}

TEST(CheckDetectors, AreLoaded) {
    LuaGlobals globals = {{"learn", "function"}};
    EXPECT_EQ(of_detectors("a", "key=k", globals),
              (Lines{"error 2: learn needs zapret-auto.lua, which no --lua-init loads (instance "
                     "learn_1_1)"}));
    globals["automate_result"] = "function";
    EXPECT_EQ(of_detectors("a", "key=k", globals), Lines());
}

TEST(CheckDetectors, WantAnswersByDefault) {
    EXPECT_EQ(of_detectors("x", "key=k"),
              (Lines{"warning 2: without success_detector= answers decide, and --in-range lets "
                     "none through (instance learn_1_1)"}));
    EXPECT_EQ(of_detectors("x", "success_detector=mine"),
              (Lines{"warning 2: without failure_detector= answers decide, and --in-range lets "
                     "none through (instance learn_1_1)"}));
    EXPECT_EQ(of_detectors("x", "success_detector=mine:failure_detector=mine"), Lines());
}

TEST(CheckDetectors, CountPackets) {
    EXPECT_EQ(of_detectors("a", "in_pkts=abc"),
              (Lines{"warning 2: in_pkts=abc is neither a number nor 'all' (instance "
                     "learn_1_1)"}));
    for (const char* good : {"7", "all", "%how_many"})
        EXPECT_EQ(of_detectors("a", std::string("in_pkts=") + good), Lines());
}

TEST(CheckDetectors, AreToldWhatIsQueued) {
    EXPECT_EQ(
        of_detectors("a", "failure_detector=detect_silence"),
        (Lines{"warning 2: detect_silence says nothing without in_pkts=, which tells how many "
               "incoming packets of a connection the rules queue (instance learn_1_1)"}));
    LuaGlobals told = with_detectors;
    told["in_pkts_tcp"] = "number";
    EXPECT_EQ(of_detectors("a", "failure_detector=detect_silence", told), Lines());
    EXPECT_EQ(of_detectors("a", "success_detector=success_bytes"), Lines());
}

Lines of_files(const std::vector<std::string>& calls) {
    return Checked(instances_of(calls)).files().findings();
}

TEST(CheckFiles, SayWhatIsWrongAndWhere) {
    const TempDir dir;
    const std::string good = dir.file("good", "\xEF\xBB\xBF# mine\n.a.example one # more\n"
                                              "b.example # two\nc.example\n\n  d.example two\n");
    EXPECT_EQ(of_files({"learn:groups=" + good + ":patterns=" + good}), Lines());
    const std::string bad = dir.file("bad", "a.example one two\n*.b.example\nhttps://c.example\n");
    const auto line = [&](const char* number, const char* what) {
        return "warning 1: groups=" + bad + ": line " + number + ": " + what +
               " (instance learn_1_1)";
    };
    EXPECT_EQ(of_files({"learn:groups=" + bad}),
              (Lines{line("1", "'two' has no effect, a line is a suffix and a name"),
                     line("2", "'*.b.example' is no suffix of a host name"),
                     line("3", "'https://c.example' is no suffix of a host name")}));
    const std::string blockpage = "learn:failure_detector=mine+detect_blockpage:patterns=";
    EXPECT_EQ(of_files({blockpage + bad}), Lines()) << "any text";
    EXPECT_EQ(of_files({blockpage + dir.file("signs", "; one\n")}), Lines());
    EXPECT_EQ(of_files({blockpage + dir.file("slash", "\xEF\xBB\xBF# no\n/blocked\n")}), Lines());
    const std::string remarks = dir.file("remarks", "\xEF\xBB\xBF# no\r\n\n#/blocked");
    EXPECT_EQ(of_files({blockpage + remarks}), (Lines{"warning 1: patterns=" + remarks +
                                                      ": it is empty and has no effect "
                                                      "(instance learn_1_1)"}));
    EXPECT_EQ(of_files({"learn:groups=" + dir.file("joined", "a.example one#two three\n"
                                                             "b.example#two three four\n")}),
              Lines());
    const std::string more = dir.file("more", "; mine\ra.example one two three # four\n");
    EXPECT_EQ(of_files({"learn:groups=" + more}),
              (Lines{"warning 1: groups=" + more +
                         ": line 1: ';' is no suffix of a host name "
                         "(instance learn_1_1)",
                     "warning 1: groups=" + more +
                         ": line 1: 'two three' has no effect, a line "
                         "is a suffix and a name (instance learn_1_1)"}));
    std::string many;
    for (int i = 0; i < 100; i++)
        many += "*." + std::to_string(i) + "\n";
    EXPECT_EQ(of_files({"learn:groups=" + dir.file("many", many)}).size(), 10U);
}

TEST(CheckFiles, MustBeThere) {
    const TempDir dir;
    for (const char* argument : {"success_detector", "failure_detector"})
        EXPECT_EQ(
            of_files({std::string("circular:") + argument + "=detect_blockpage:patterns=/no/such"}),
            (Lines{"error 1: patterns=/no/such: No such file or directory (instance "
                   "circular_1_1)"}));
    EXPECT_EQ(of_files({"circular:failure_detector=my_detector:patterns=ads+block"}),
              (Lines{"warning 1: patterns=ads+block: No such file or directory (instance "
                     "circular_1_1)"}))
        << "it may mean something else";
    const std::string pipe = dir / "pipe";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_EQ(of_files({"learn:groups=" + pipe}),
              (Lines{"error 1: groups=" + pipe + ": not a regular file (instance learn_1_1)"}));
    EXPECT_EQ(of_files({"learn:groups=" + dir.file("empty", "# nothing\n")})[0].substr(0, 9),
              "warning 1");
    EXPECT_EQ(of_files({"learn:groups=" + dir.file("wide", "\xFF\xFE.\0a\0")}),
              (Lines{"error 1: groups=" + (dir / "wide") +
                     ": it is UTF-16, UTF-8 is needed (instance learn_1_1)"}));
    EXPECT_EQ(of_files({"mine:groups=/no/such", "learn:groups=%where", "pass:groups=/no/such"}),
              Lines())
        << "not a file, not known yet, not looked at";
}

} // namespace
} // namespace nfqws2::app
