#include "app/options/command_line.hpp"

#include "../parse_helper.hpp"
#include "app/options/help.hpp"

namespace nfqws2::app {
namespace {

TEST(CommandLine, QueueNumberIsNeeded) {
    EXPECT_EQ(Parsed({"--new"}).finish_error, "Need queue number (--qnum), e.g. --qnum=200");
    EXPECT_EQ(Parsed({"--dry-run"}).finish_error, "Need queue number (--qnum), e.g. --qnum=200");
    EXPECT_TRUE(Parsed({"--intercept=0"}).good());
    EXPECT_TRUE(Parsed({"--pcap-in=-"}).good());
    EXPECT_TRUE(Parsed({"-qnum", "5"}).good());
}

TEST(CommandLine, RulesNeedAQueueAndAPurpose) {
    EXPECT_EQ(Parsed({"--intercept=0", "--print-rules=nft"}).finish_error,
              "Need queue number (--qnum), e.g. --qnum=200");
    EXPECT_TRUE(Parsed({"--qnum=1", "--print-rules=service"}).good());
    EXPECT_EQ(Parsed({"--qnum=1", "--print-rules=nft", "--check"}).finish_error,
              "nfqws2: option '--print-rules' (argument 2): --print-rules cannot be used with "
              "--check or --explain");
    EXPECT_EQ(Parsed({"--qnum=1", "--rules-now"}).finish_error,
              "nfqws2: option '--rules-now' (argument 2): --rules-now needs --check");
    EXPECT_TRUE(Parsed({"--qnum=1", "--rules-now", "--check"}).good());
}

TEST(CommandLine, PosixlyCorrectEndsAtTheFirstWord) {
    setenv("POSIXLY_CORRECT", "1", 1);
    const Parsed parsed({"--qnum=1", "word", "--qnum=2", "--nothing"});
    unsetenv("POSIXLY_CORRECT");
    ASSERT_TRUE(parsed.good()) << parsed.err;
    EXPECT_EQ(parsed.config().qnum, 1);
}

TEST(CommandLine, ParserErrorPrintsHelpOnStdout) {
    const Parsed parsed({"--qnum=1", "--nothing"});
    EXPECT_EQ(parsed.code, 1);
    EXPECT_EQ(parsed.err, "nfqws2: unrecognized option '--nothing' (argument 2)\n");
    EXPECT_EQ(parsed.out, help_text());
}

TEST(CommandLine, ParserErrorAfterDryRunPrintsNoHelp) {
    const Parsed parsed({"--dry-run", "--qnum"});
    EXPECT_EQ(parsed.code, 1);
    EXPECT_EQ(parsed.err, "nfqws2: option '--qnum' requires an argument (argument 2)\n");
    EXPECT_EQ(parsed.out, "");
}

TEST(CommandLine, VersionIgnoresWhatFollows) {
    const Parsed parsed({"--version", "--nothing"});
    EXPECT_EQ(parsed.code, 0);
    EXPECT_EQ(parsed.err, "");
    EXPECT_EQ(Parsed({"--qnum=99999", "--version"}).code, 1) << "options to its left act";
}

TEST(CommandLine, Help) {
    const Parsed parsed({"--help"});
    EXPECT_EQ(parsed.code, 0);
    EXPECT_EQ(parsed.out, help_text());
}

TEST(CommandLine, ErrorsInAFileNameItsLine) {
    const Parsed value("my.conf", {{"--qnum=1", 1}, {"--filter-tcp", 3}, {"80-", 3}});
    EXPECT_EQ(value.code, 1);
    EXPECT_TRUE(value.err.starts_with(
        "nfqws2: option '--filter-tcp' (my.conf:3): Invalid port filter : 80- (should be "))
        << value.err;
    const Parsed name("my.conf", {{"--hostlits=a", 9}});
    EXPECT_EQ(name.err,
              "x: unrecognized option '--hostlits'; did you mean '--hostlist'? (my.conf:9)\n");
}

TEST(CommandLine, Diagnosis) {
    const TempDir dir;
    const Parsed traced({"--qnum=1", "--trace=" + (dir / "trace")});
    ASSERT_TRUE(traced.good()) << traced.err;
    EXPECT_TRUE(traced.config().trace_file.ends_with("/trace"));
    EXPECT_FALSE(std::filesystem::exists(dir / "trace")) << "made when all else is well";
    EXPECT_EQ(Parsed({"--qnum=1", "--trace=-"}).config().trace_file, "-");

    const Parsed check({"--qnum=1", "--check"});
    EXPECT_TRUE(check.config().check && !check.config().check_json);
    EXPECT_TRUE(Parsed({"--qnum=1", "--check=json"}).config().check_json);
    EXPECT_EQ(Parsed({"--check"}).finish_error, "Need queue number (--qnum), e.g. --qnum=200");

    const Parsed explain({"--explain=tcp:1.2.3.4:80", "--explain", "udp:1.2.3.4:53"});
    ASSERT_TRUE(explain.good()) << "no queue is needed";
    EXPECT_EQ(explain.config().explain.size(), 2U);
}

TEST(CommandLine, DiagnosisThatDoesNotFitTogether) {
    EXPECT_NE(Parsed({"--pcap-in=x", "--pcap-out=-", "--trace=-"}).finish_error, "");
    EXPECT_NE(Parsed({"--qnum=1", "--check", "--explain=tcp:1.2.3.4:80"}).finish_error, "");
}

TEST(CommandLine, ParserErrorAfterCheckPrintsNoHelp) {
    EXPECT_EQ(Parsed({"--check", "--qnum"}).out, "");
}

TEST(CommandLine, PositionsOfOptions) {
    const Parsed parsed({"--qnum", "1", "word", "--lua-init=x=1", "--filter-tcp=80",
                         "--lua-desync=f", "--new", "--lua-desync=g"});
    ASSERT_TRUE(parsed.good()) << parsed.err;
    EXPECT_EQ(parsed.state.option_at,
              (std::vector<std::string>{"qnum", "", "", "lua-init", "filter-tcp", "lua-desync",
                                        "new", "lua-desync"}));
    EXPECT_EQ(parsed.config().lua_init_positions, (std::vector<std::size_t>{3}));
    EXPECT_EQ(parsed.config().profiles[0]->position, 4U);
    EXPECT_EQ(parsed.config().profiles[0]->instances[0].position, 5U);
    EXPECT_EQ(parsed.config().profiles[1]->position, 6U);
    const Parsed bad({"--qnum=1", "--filter-tcp", "80-"});
    EXPECT_TRUE(bad.state.failure.starts_with("Invalid port filter")) << bad.state.failure;
    EXPECT_EQ(bad.state.position, 1U);
}

TEST(CommandLine, SeedNeverReachesTheNetwork) {
    EXPECT_EQ(Parsed({"--qnum=1", "--seed=1"}).finish_error,
              "nfqws2: option '--seed' (argument 2): --seed needs --pcap-in or --intercept=0");
    EXPECT_TRUE(Parsed({"--seed=1", "--pcap-in=-"}).good());
    EXPECT_TRUE(Parsed({"--seed=1", "--intercept=0"}).good());
}

TEST(CommandLine, OptionsThatDoNotFitTogether) {
    EXPECT_NE(Parsed({"--qnum=1", "--pcap-out=-"}).finish_error, "");
    EXPECT_NE(Parsed({"--pcap-in=-", "--intercept=0"}).finish_error, "");
    EXPECT_NE(Parsed({"--pcap-in=-", "--fuzz=5"}).finish_error, "");
}

TEST(CommandLine, WhatConcernsSeveralOptionsPointsAtOne) {
    const Parsed file("my.conf", {{"--qnum=1", 2}, {"--pcap-out=-", 5}});
    EXPECT_EQ(file.finish_error,
              "nfqws2: option '--pcap-out' (my.conf:5): --pcap-out needs --pcap-in");
    EXPECT_EQ(file.state.failure, "--pcap-out needs --pcap-in");
    EXPECT_EQ(file.state.position, 1U);
    // The end of the command line closes a template.
    const Parsed twice({"--qnum=1", "--template=a", "--new", "--template=a"});
    EXPECT_EQ(twice.finish_error,
              "nfqws2: option '--template' (argument 4): template 'a' already present");
    EXPECT_EQ(Parsed({"--new"}).state.failure, "") << "no option is to blame";
}

TEST(CommandLine, PartsOfAValueThatAreSkipped) {
    const Parsed parsed({"--qnum=1", "--ipset-ip=10.0.0.1,300.1.2.3"});
    ASSERT_TRUE(parsed.good());
    EXPECT_EQ(parsed.err, "");
    testing::internal::CaptureStderr();
    tell_warnings(parsed.state);
    const std::string told = testing::internal::GetCapturedStderr();
    EXPECT_TRUE(told.starts_with(
        "nfqws2: option '--ipset-ip' (argument 2): bad ip or subnet : 300.1.2.3 (skipped"))
        << told;
    ASSERT_EQ(parsed.state.profiles.warnings().size(), 1U);
    EXPECT_EQ(parsed.state.profiles.warnings()[0].position, 1U);
}

TEST(CommandLine, IgnoredWords) {
    const Parsed parsed({"one", "--qnum", "1", "--debug", "0", "--", "--server"});
    ASSERT_TRUE(parsed.good());
    EXPECT_EQ(parsed.state.ignored, (std::vector<std::size_t>{0, 4, 6}));
    EXPECT_EQ(parsed.err, "");
}

TEST(CommandLine, AutoHostListNeedsClientMode) {
    const TempDir dir;
    const std::string list = "--hostlist-auto=" + (dir / "auto.txt");
    EXPECT_TRUE(Parsed({"--qnum=1", list}).good());
    EXPECT_EQ(Parsed({"--qnum=1", list, "--server"}).finish_error,
              "nfqws2: option '--server' (argument 3): autohostlists not supported in server mode");
    EXPECT_TRUE(Parsed({"--qnum=1", "--server", "--template=t", list, "--new"}).good())
        << "templates are not checked";
}

TEST(CommandLine, ProfileOptionsReachTheProfiles) {
    const Parsed parsed({"--qnum=1", "--template=t1", "--filter-tcp=80", "--lua-desync=f", "--new",
                         "--template=t2", "--import=t1", "--lua-desync=g", "--new", "--name=p1",
                         "--import", "t2", "--lua-desync=h", "--new=p2", "--lua-desync=i"});
    ASSERT_TRUE(parsed.good()) << parsed.err << parsed.finish_error;
    const Config& c = parsed.config();
    EXPECT_EQ(c.user_profiles, 2U);
    EXPECT_EQ(c.templates, 2U);
    ASSERT_EQ(c.profiles.size(), 2U);
    EXPECT_EQ(c.profiles[0]->profile_name, "p1");
    ASSERT_EQ(c.profiles[0]->instances.size(), 3U);
    EXPECT_EQ(c.profiles[0]->instances[2].func, "h");
    EXPECT_EQ(c.profiles[1]->profile_name, "p2");
    ASSERT_EQ(c.profiles[1]->instances.size(), 1U);
}

TEST(CommandLine, OptionalValuesOfProfileOptions) {
    const TempDir dir;
    const Parsed parsed({"--qnum=1", "--hostlist-auto-retrans-reset=0", "--new",
                         "--hostlist-auto-retrans-reset", "--cookie="});
    ASSERT_TRUE(parsed.good()) << parsed.err;
    ASSERT_EQ(parsed.config().profiles.size(), 2U);
    EXPECT_FALSE(parsed.config().profiles[0]->auto_options.retrans_reset);
    EXPECT_TRUE(parsed.config().profiles[1]->auto_options.retrans_reset);
    EXPECT_EQ(parsed.config().profiles[1]->cookie, "");
}

TEST(CommandLine, SsidUseIsNoticed) {
    EXPECT_FALSE(Parsed({"--qnum=1"}).config().uses_ssid);
    EXPECT_TRUE(Parsed({"--qnum=1", "--new", "--filter-ssid=home"}).config().uses_ssid);
}

} // namespace
} // namespace nfqws2::app
