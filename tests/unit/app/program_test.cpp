#include "child_run.hpp"

#include "app/options/help.hpp"
#include "app/version.hpp"
#include "nfqws2/rules/compile.hpp"
#include "nfqws2/rules/state/geoip.hpp"

#include <algorithm>
#include <csignal>
#include <sys/stat.h>

namespace nfqws2::app {
namespace {

std::string version_lines() {
    return version_text() + "\n\n";
}

TEST(Program, VersionLineComesFirst) {
    const TempDir dir;
    for (const auto& words : std::vector<std::vector<std::string>>{
             {}, {"--nothing"}, {"@/no/such/file"}, {"--qnum=x"}, {"--help"}}) {
        const auto result = run_nfqws2(dir, words);
        EXPECT_TRUE(result.out.starts_with(version_lines())) << result.out.substr(0, 200);
    }
    EXPECT_TRUE(version_text().ends_with(" lua_compat_ver 6"));
    EXPECT_LE(version_text().size(), 127U);
}

TEST(Program, VersionTellsOfTheBuild) {
    const std::string text = build_text();
    EXPECT_TRUE(text.starts_with("Lua engine: Lua")) << text;
    for (const char* word : {"libraries: libnetfilter_queue 1.", "libmnl 1.", "libcap 2.",
                             "zlib 1.", "libseccomp 2.", "mbed TLS ", "features: ", "built with: "})
        EXPECT_TRUE(contains(text, word)) << word << " in " << text;
    EXPECT_EQ(contains(text, "libpcap version"), NFQWS2_HAVE_PCAP != 0) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
    const std::size_t at = text.find("features: ");
    const std::string features = text.substr(at, text.find('\n', at) - at);
    std::string why;
    EXPECT_EQ(contains(features, "rules"), rules::in_this_build()) << features;
    EXPECT_EQ(contains(features, "geoip"),
              rules::in_this_build() && rules::GeoDatabases::available(&why))
        << features;
}

TEST(Program, ExitCodesOfParsing) {
    const TempDir dir;
    const auto none = run_nfqws2(dir, {});
    EXPECT_EQ(none.code, 1);
    EXPECT_EQ(none.out, version_lines() + help_text());
    EXPECT_EQ(none.err, "nfqws2: no options were given, e.g. --qnum=200\n");

    const auto version = run_nfqws2(dir, {"--version", "--nothing"});
    EXPECT_EQ(version.code, 0);
    EXPECT_EQ(version.out, version_lines() + build_text());
    EXPECT_EQ(version.err, "");

    const auto help = run_nfqws2(dir, {"--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_EQ(help.out, version_lines() + help_text());

    const auto unknown = run_nfqws2(dir, {"--nothing"});
    EXPECT_EQ(unknown.code, 1);
    EXPECT_EQ(unknown.err, "./nfqws2: unrecognized option '--nothing' (argument 1)\n");
    EXPECT_EQ(unknown.out, version_lines() + help_text());

    const auto after_dry_run = run_nfqws2(dir, {"--dry-run", "--nothing"});
    EXPECT_EQ(after_dry_run.code, 1);
    EXPECT_EQ(after_dry_run.out, version_lines());
}

TEST(Program, LettersThatPeopleTryFirst) {
    const TempDir dir;
    for (const char* help : {"-h", "-?"}) {
        const auto result = run_nfqws2(dir, {help});
        EXPECT_EQ(result.code, 0);
        EXPECT_EQ(result.out, version_lines() + help_text());
    }
    EXPECT_EQ(run_nfqws2(dir, {"-V"}).out, version_lines() + build_text());
}

TEST(Program, QuietPrintsWarningsAndErrorsOnly) {
    const TempDir dir;
    const auto good = run_nfqws2(dir, as_owner({"--intercept=0", "word", "--quiet"}));
    EXPECT_EQ(good.code, 0);
    EXPECT_EQ(good.out, "");
    EXPECT_TRUE(contains(good.err, "warning: 'word' is no option and has no effect")) << good.err;
    const auto bad = run_nfqws2(dir, {"--quiet", "--nothing"});
    EXPECT_EQ(bad.code, 1);
    EXPECT_EQ(bad.out, "");
    EXPECT_EQ(bad.err, "./nfqws2: unrecognized option '--nothing' (argument 2)\n");
    EXPECT_EQ(run_nfqws2(dir, {"--quiet", "--help"}).out, help_text());
    const auto log =
        run_nfqws2(dir, as_owner({"--quiet", "--debug=@" + (dir / "log"), "--intercept=0"}));
    EXPECT_EQ(log.out, "");
    EXPECT_TRUE(contains(read_text(dir / "log"), "no intercept quit\n")) << "the log is whole";
}

TEST(Program, ConfigFile) {
    const TempDir dir;
    const auto good =
        run_nfqws2(dir, {"@" + dir.file("good", "# it's ours\n--qnum=5\n--dry-run"), "--nothing"});
    EXPECT_EQ(good.code, 0) << good.err;
    const auto bad = run_nfqws2(dir, {"$" + dir.file("bad", "--qnum=5\n\n--filter-tcp=80-\n")});
    EXPECT_EQ(bad.code, 1);
    EXPECT_TRUE(bad.err.starts_with("nfqws2: option '--filter-tcp' (" + (dir / "bad") +
                                    ":3): Invalid port filter : 80- ("))
        << bad.err;
    const auto missing = run_nfqws2(dir, {"@" + (dir / "missing")});
    EXPECT_EQ(missing.code, 1);
    EXPECT_TRUE(contains(missing.err, "could not load config file '" + (dir / "missing") + "'"));
    EXPECT_EQ(missing.out, version_lines());
    const auto empty = run_nfqws2(dir, {"@" + dir.file("empty", "")});
    EXPECT_EQ(empty.code, 1);
    EXPECT_TRUE(contains(empty.err, "Need queue number (--qnum)"));
}

TEST(Program, DryRun) {
    const TempDir dir;
    const std::string list = dir.file("list", "one.com\n"), lua = dir.file("x.lua", "print('ran')");
    const auto good = run_nfqws2(dir, as_owner({"--dry-run", "--qnum=5", "--hostlist=" + list,
                                                "--lua-init=@" + lua, "--lua-desync=no_function"}));
    EXPECT_EQ(good.code, 0) << good.err;
    EXPECT_TRUE(contains(good.out,
                         "we have 1 user defined desync profile(s) and default low "
                         "priority profile 0\nwe have 0 user defined desync template(s)"));
    EXPECT_TRUE(good.out.ends_with("command line parameters verified\n"));
    EXPECT_FALSE(contains(good.out, "ran")) << "no Lua";

    const auto no_lua =
        run_nfqws2(dir, {"--dry-run", "--qnum=5", "--lua-init=@" + (dir / "no.lua")});
    EXPECT_EQ(no_lua.code, 1);
    EXPECT_TRUE(contains(no_lua.err, "no.lua.gz' not accessible"));
    EXPECT_EQ(run_nfqws2(dir, {"--dry-run"}).code, 1) << "--qnum";
    EXPECT_EQ(run_nfqws2(dir, {"--dry-run", "--qnum=5", "--blob=a:@" + (dir / "no")}).code, 1);
    EXPECT_EQ(run_nfqws2(dir, {"--dry-run", "--qnum=5", "--ipset=" + (dir / "no")}).code, 1);
}

TEST(Program, DryRunTestsFilesAsTheNewUser) {
    if (!is_root()) GTEST_SKIP() << "only root can become another user";
    const TempDir dir; // mode 0700
    const std::string lua = dir.file("x.lua", "");
    const auto result = run_nfqws2(dir, {"--dry-run", "--qnum=5", "--lua-init=@" + lua});
    EXPECT_EQ(result.code, 1);
    EXPECT_TRUE(contains(result.out, "Running as UID=2147483647 GID=2147483647"));
    EXPECT_TRUE(contains(result.err, "LUA file '"));
    EXPECT_TRUE(contains(result.err, "permissions"));
}

TEST(Program, LuaFileWithGzSuffixIsFound) {
    const TempDir dir;
    dir.file("x.lua.gz", "print('plain text under a gz name')");
    EXPECT_EQ(
        run_nfqws2(dir, as_owner({"--dry-run", "--qnum=5", "--lua-init=@" + (dir / "x.lua")})).code,
        0);
}

// --- as root: with the kernel, but without a queue

class ProgramAsRoot : public testing::Test {
  protected:
    void SetUp() override {
        if (!is_root()) GTEST_SKIP() << "needs root";
    }
    TempDir dir_;
};

TEST_F(ProgramAsRoot, LuaRunsInTheSandbox) {
    const auto result =
        run_nfqws2(dir_, {"--intercept=0",
                          "--lua-init=for l in io.lines('/proc/self/status') do print(l) end"});
    EXPECT_EQ(result.code, 0) << result.err;
    for (const char* line :
         {"Uid:\t2147483647\t2147483647\t2147483647\t2147483647",
          "Gid:\t2147483647\t2147483647\t2147483647\t2147483647", "Groups:\t2147483647",
          "CapPrm:\t0000000000003000", "CapEff:\t0000000000003000", "CapInh:\t0000000000000000",
          "CapBnd:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1",
          "Seccomp:\t2"})
        EXPECT_TRUE(contains(result.out, line)) << line;
    EXPECT_TRUE(contains(result.out, "initializing raw sockets bind-fix4=0 bind-fix6=0"));
    EXPECT_TRUE(result.out.ends_with("no intercept quit\n"));
}

TEST_F(ProgramAsRoot, UidOption) {
    const auto result = run_nfqws2(dir_, {"--intercept=0", "--uid=5:6,7"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_TRUE(contains(result.out, "Running as UID=5 GID=6,7\n")) << result.out;
}

TEST_F(ProgramAsRoot, ForbiddenSystemCallEndsTheProcess) {
    std::filesystem::create_directory(dir_ / "empty");
    const auto result = run_nfqws2(
        dir_, as_owner({"--intercept=0", "--lua-init=os.remove('" + (dir_ / "empty") + "')"}));
    EXPECT_EQ(result.signal, SIGSYS);
    EXPECT_TRUE(std::filesystem::exists(dir_ / "empty"));
}

TEST_F(ProgramAsRoot, LuaFailuresExitOne) {
    EXPECT_EQ(run_nfqws2(dir_, {"--intercept=0", "--lua-init=error('x')"}).code, 1);
    EXPECT_EQ(run_nfqws2(dir_, {"--intercept=0", "--lua-init=x x"}).code, 1);
    const auto missing = run_nfqws2(dir_, {"--intercept=0", "--lua-desync=nothing_there"});
    EXPECT_EQ(missing.code, 1);
    EXPECT_TRUE(contains(missing.err, "desync function 'nothing_there' does not exist"));
}

TEST_F(ProgramAsRoot, FilesOfArgumentsMustBeThere) {
    const std::string circular = "--lua-init=function circular() end";
    const auto own =
        run_nfqws2(dir_, as_owner({"--intercept=0", circular,
                                   "--lua-desync=circular:failure_detector=my_detector:"
                                   "patterns=ads+block"}));
    EXPECT_EQ(own.code, 0) << own.err;
    const auto none =
        run_nfqws2(dir_, as_owner({"--intercept=0", circular,
                                   "--lua-desync=circular:failure_detector=mine+detect_blockpage:"
                                   "patterns=/no/such"}));
    EXPECT_EQ(none.code, 1);
    EXPECT_TRUE(contains(none.err, "patterns=/no/such of instance circular_1_1: No such file or "
                                   "directory"))
        << none.err;
    const std::string pipe = dir_ / "pipe";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0644), 0);
    const auto blocks =
        run_nfqws2(dir_, as_owner({"--intercept=0", "--lua-init=function learn() end",
                                   "--lua-desync=learn:groups=" + pipe}));
    EXPECT_EQ(blocks.code, 1);
    EXPECT_TRUE(contains(blocks.err, "of instance learn_1_1: not a regular file")) << blocks.err;
}

TEST_F(ProgramAsRoot, TimersRunUntilNoneIsLeft) {
    const auto result = run_nfqws2(
        dir_, {"--intercept=0", "--lua-init=n=0 timer_set('p', function() n=n+1 print('p'..n) if "
                                "n==2 then timer_del('p') end end, 40) timer_set('o', function() "
                                "print('o') end, 60, true)"});
    EXPECT_EQ(result.code, 0);
    EXPECT_TRUE(result.out.ends_with("p1\no\np2\nno intercept quit\n")) << result.out;
}

TEST_F(ProgramAsRoot, TermQuits) {
    const auto term = [&](pid_t child) {
        while (!contains(read_text(dir_ / "stdout"), "tick"))
            usleep(10'000);
        kill(child, SIGUSR1);
        kill(child, SIGUSR2);
        kill(child, SIGHUP);
        while (!contains(read_text(dir_ / "stdout"), "HUP received"))
            usleep(10'000);
        kill(child, SIGTERM);
    };
    const auto result = run_nfqws2(
        dir_, {"--intercept=0", "--lua-init=timer_set('p', function() print('tick') end, 50)"},
        term);
    EXPECT_EQ(result.code, 0);
    EXPECT_TRUE(contains(result.out, "\nCONNTRACK DUMP\n"));
    EXPECT_TRUE(contains(result.out, "\nHOSTFAIL POOL DUMP\n"));
    EXPECT_TRUE(contains(result.out, "\nIPCACHE\n"));
    EXPECT_TRUE(contains(result.out, "HUP received ! Lists will be reloaded.\n"));
    EXPECT_TRUE(result.out.ends_with("TERM received !\nquit requested\nno intercept quit\n"))
        << result.out;
}

TEST_F(ProgramAsRoot, SecondTermEndsAtOnce) {
    const auto terms = [&](pid_t child) {
        while (!contains(read_text(dir_ / "stdout"), "busy"))
            usleep(10'000);
        kill(child, SIGTERM);
        while (!contains(read_text(dir_ / "stdout"), "TERM received !"))
            usleep(10'000);
        kill(child, SIGTERM);
    };
    // Catches the interrupt again and again.
    const auto result = run_nfqws2(
        dir_,
        {"--intercept=0", "--lua-init=local n=0 while true do pcall(function() while true do "
                          "string.rep('x', 10) n=n+1 if n==10 then print('busy') end end end) end"},
        terms);
    EXPECT_EQ(result.signal, SIGTERM);
}

TEST_F(ProgramAsRoot, DaemonWritesItsPid) {
    const auto result =
        run_nfqws2(dir_, {"--intercept=0", "--daemon", "--pidfile=" + (dir_ / "pid"),
                          "--lua-init=timer_set('o', function() end, 300, true)"});
    EXPECT_EQ(result.code, 0) << result.err;
    const std::string text = read_text(dir_ / "pid");
    ASSERT_FALSE(text.empty());
    EXPECT_EQ(text.find_first_not_of("0123456789"), std::string::npos) << "no newline";
    const int pid = std::stoi(text);
    EXPECT_TRUE(contains(read_text("/proc/" + text + "/status"), "Name:")) << "still running";
    kill(pid, SIGKILL);
}

TEST_F(ProgramAsRoot, PidFileFailure) {
    std::filesystem::create_directory(dir_ / "pid");
    const auto result = run_nfqws2(dir_, {"--intercept=0", "--pidfile=" + (dir_ / "pid")});
    EXPECT_EQ(result.code, 1);
    EXPECT_TRUE(contains(result.err, "create pidfile: "));
}

TEST_F(ProgramAsRoot, WritableDirectory) {
    std::filesystem::permissions(dir_.path(), std::filesystem::perms::others_exec,
                                 std::filesystem::perm_options::add);
    const auto result =
        run_nfqws2(dir_, {"--intercept=0", "--writable=" + (dir_ / "w"),
                          "--lua-init=local d=os.getenv('WRITABLE') print(d) "
                          "print(d==WRITABLE and d==WRITEABLE and d==os.getenv('WRITEABLE')) local "
                          "f=assert(io.open(d..'/x', "
                          "'w')) f:write('hi') f:close()"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(read_text(dir_ / "w/x"), "hi");
    EXPECT_TRUE(contains(result.out, (dir_ / "w") + "\ntrue\n"));
    EXPECT_TRUE(
        contains(run_nfqws2(dir_, {"--intercept=0", "--lua-init=print(WRITABLE, WRITEABLE)"}).out,
                 "nil\tnil\n"));
}

TEST_F(ProgramAsRoot, WritableDirectoryFailure) {
    const auto result = run_nfqws2(dir_, {"--intercept=0", "--writable=" + dir_.file("plain", "")});
    EXPECT_EQ(result.code, 1);
    EXPECT_TRUE(contains(result.err, "could not make writable dir for LUA"));
}

TEST_F(ProgramAsRoot, FuzzPacketsGoThroughTheEngine) {
    const auto result =
        run_nfqws2(dir_, {"--fuzz=2000", "--in-range=a", "--lua-desync=f",
                          "--lua-init=n=0 function f() n=n+1 if n==1 then print('seen') end end"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_TRUE(contains(result.out, "seen\n"));
    EXPECT_TRUE(contains(result.out, "2000 random packets processed\n"));
}

} // namespace
} // namespace nfqws2::app
