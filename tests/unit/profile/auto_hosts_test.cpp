#include "nfqws2/profile/auto_hosts.hpp"

#include "profile_testing.hpp"

#include <ctime>

namespace nfqws2::profile {
namespace {

using testing::TempDir;
using testing::World;

struct Auto : ::testing::Test {
    TempDir dir;
    std::unique_ptr<World> world;
    std::unique_ptr<AutoHosts> hosts;

    // One profile with an automatic list and further options.
    void make(std::vector<std::string> options) {
        setenv("TZ", "UTC", 1);
        tzset();
        options.insert(options.begin(), "--hostlist-auto=" + dir.file("auto"));
        world = std::make_unique<World>(options);
        hosts = std::make_unique<AutoHosts>(*world->profiles, world->lists, world->clock);
        ASSERT_TRUE(hosts->set_debug_log(dir.file("log")));
    }
    AutoHosts::Event event(std::string_view host, const std::string& reason = "") {
        AutoHosts::Event e{};
        e.profile = &world->profiles->by_number(1);
        e.host = host;
        e.client = {testing::ip("10.99.1.1"), 36810};
        e.l7 = "http";
        e.reason = reason;
        return e;
    }
    void fail(std::string_view host) { hosts->failure(event(host)); }
    // The counters of all hosts, "host=N ..." in order of their first failure.
    std::string counters() {
        std::string text;
        hosts->dump([&](const std::string& line) {
            if (line.starts_with("host=")) text += line.substr(5, line.find(" time") - 5) + " ";
        });
        return text;
    }
    // The last field of each line of the debug log.
    std::vector<std::string> log() {
        std::vector<std::string> texts;
        std::istringstream in(dir.read("log"));
        for (std::string line; std::getline(in, line);)
            texts.push_back(line.substr(line.find("proto ") + 13));
        return texts;
    }
    using Lines = std::vector<std::string>;
};

TEST_F(Auto, ThresholdAddsTheHost) {
    make({"--hostlist-auto-fail-threshold=2"});
    fail("www.rst.com");
    EXPECT_EQ(dir.read("auto"), "");
    fail("www.rst.com");
    EXPECT_EQ(dir.read("auto"), "www.rst.com\n");
    EXPECT_EQ(counters(), "");
    const Profile& p = world->profiles->by_number(1);
    EXPECT_TRUE(world->profiles->check_hosts(p, "x.www.rst.com", false).positive);
    EXPECT_EQ(log(),
              (Lines{"fail counter 1/2", "fail counter 2/2", "adding to " + dir.file("auto")}));
}

// The file may hold a user's lines: nothing is removed, and nothing added beyond the bound.
TEST_F(Auto, AFullListGetsNothing) {
    dir.write("auto", "users.com\n");
    make({"--hostlist-auto-fail-threshold=1", "--hostlist-auto-max=3"});
    ::testing::internal::CaptureStderr();
    for (const char* host : {"a.com", "b.com", "c.com", "d.com"})
        fail(host);
    EXPECT_EQ(dir.read("auto"), "users.com\na.com\nb.com\n");
    EXPECT_EQ(log().back(), "NOT adding, the list has 3 entries (--hostlist-auto-max)");
    const std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("nothing is added"), std::string::npos) << said;
    EXPECT_EQ(said.find("nothing is added"), said.rfind("nothing is added")) << "once an hour";
}

TEST_F(Auto, AdditionsAreFewInASecond) {
    make({"--hostlist-auto-fail-threshold=1"});
    const auto lines = [&] {
        const std::string text = dir.read("auto");
        return std::count(text.begin(), text.end(), '\n');
    };
    for (int i = 0; i < 100; i++)
        fail("host" + std::to_string(i) + ".com");
    EXPECT_EQ(lines(), 20);
    world->clock.advance_to(world->clock.unix_ns() + 1'000'000'000);
    for (int i = 0; i < 100; i++)
        fail("host" + std::to_string(i) + ".org");
    EXPECT_EQ(lines(), 40);
}

TEST_F(Auto, DebugLogFormat) {
    make({"--name=n"});
    // 20.11.2026 23:10:57 UTC
    world->clock.advance_to(1'795'216'257'000'000'000);
    hosts->failure(event("www.rst.com", "rseq 1 : incoming RST"));
    AutoHosts::Event v6 = event("b.com");
    v6.client = {testing::ip("2001:db8::1"), 5};
    v6.l7 = "quic";
    hosts->failure(v6);
    EXPECT_EQ(dir.read("log"),
              "20.11.2026 23:10:57 : www.rst.com : profile 1 (n) : client 10.99.1.1:36810 : "
              "proto http : rseq 1 : incoming RST\n"
              "20.11.2026 23:10:57 : www.rst.com : profile 1 (n) : client 10.99.1.1:36810 : "
              "proto http : fail counter 1/3\n"
              "20.11.2026 23:10:57 : b.com : profile 1 (n) : client [2001:db8::1]:5 : proto quic "
              ": fail counter 1/3\n");
}

TEST_F(Auto, NamelessProfileInTheLog) {
    make({});
    fail("a.com");
    EXPECT_NE(dir.read("log").find(" : profile 1 (noname) : "), std::string::npos);
}

TEST_F(Auto, LogFileMayBeMovedAway) {
    make({});
    fail("a.com");
    std::filesystem::rename(dir.file("log"), dir.file("log.1"));
    fail("a.com");
    EXPECT_EQ(log(), (Lines{"fail counter 2/3"}));
}

TEST_F(Auto, NamesCannotForgeLogLines) {
    make({});
    fail("a\nb\x7F");
    EXPECT_NE(dir.read("log").find(" : a?b? : "), std::string::npos);
}

TEST_F(Auto, LogMustBeWritable) {
    make({});
    EXPECT_FALSE(hosts->set_debug_log(dir.file("no/dir")));
}

// Fail-time 3, failures at 0, 2, 4, 6 s: the window starts at the first and is not extended.
TEST_F(Auto, WindowIsNotExtended) {
    make({"--hostlist-auto-fail-time=3", "--hostlist-auto-fail-threshold=20"});
    for (int i = 0; i < 4; ++i) {
        fail("a.com");
        world->advance(2);
    }
    EXPECT_EQ(log(), (Lines{"fail counter 1/20", "fail counter 2/20", "fail counter 1/20",
                            "fail counter 2/20"}));
}

TEST_F(Auto, SuccessDeletesTheCounter) {
    make({});
    fail("a.com");
    fail("b.com");
    hosts->success(event("a.com"));
    EXPECT_EQ(counters(), "b.com counter=1 ");
    EXPECT_EQ(log().back(), "fail counter reset. website is working.");
    const std::size_t lines = log().size();
    hosts->success(event("a.com")); // nothing to reset, nothing to tell
    hosts->success(event("c.com"));
    EXPECT_EQ(log().size(), lines);
}

TEST_F(Auto, KnownHostIsNotAddedTwice) {
    make({"--hostlist-auto-fail-threshold=1", "--hostlist-exclude-domains=bad.com"});
    fail("a.com");
    fail("x.a.com");
    fail("y.bad.com");
    EXPECT_EQ(dir.read("auto"), "a.com\n");
    EXPECT_EQ(log()[3], "NOT adding, duplicate detected");
    EXPECT_EQ(log()[5], "NOT adding, duplicate detected");
    EXPECT_EQ(counters(), "");
}

TEST_F(Auto, ListsAreReadAgainBeforeAdding) {
    make({"--hostlist-auto-fail-threshold=1"});
    dir.write("auto", "a.com\n"); // by another program
    world->advance(1.1);
    fail("a.com");
    EXPECT_EQ(dir.read("auto"), "a.com\n");
}

TEST_F(Auto, OddNamesAreNotWritten) {
    make({"--hostlist-auto-fail-threshold=1"});
    fail("a b");
    fail("#x");
    EXPECT_EQ(dir.read("auto"), "");
    EXPECT_EQ(log()[1], "NOT adding, not a host name");
}

TEST_F(Auto, IpHostsAreAddedAsText) {
    make({"--hostlist-auto-fail-threshold=1"});
    AutoHosts::Event e = event("10.99.1.2");
    e.host_is_ip = true;
    hosts->failure(e);
    EXPECT_EQ(dir.read("auto"), "10.99.1.2\n");
}

TEST_F(Auto, CountersArePerProfile) {
    make({"--new", "--hostlist-auto=" + dir.file("auto")});
    fail("a.com");
    AutoHosts::Event other = event("a.com");
    other.profile = &world->profiles->by_number(2);
    hosts->failure(other);
    EXPECT_EQ(counters(), "a.com counter=1 a.com counter=1 ");
}

TEST_F(Auto, PurgeForgetsExpiredCounters) {
    make({"--hostlist-auto-fail-time=3"});
    fail("a.com");
    world->advance(2);
    fail("b.com");
    hosts->purge();
    EXPECT_EQ(counters(), "a.com counter=1 b.com counter=1 ");
    world->advance(1);
    hosts->purge();
    EXPECT_EQ(counters(), "b.com counter=1 ");
    world->advance(2);
    hosts->purge();
    EXPECT_EQ(counters(), "");
}

TEST_F(Auto, Dump) {
    make({"--hostlist-auto-fail-time=60"});
    fail("a.com");
    world->advance(10);
    Lines lines;
    hosts->dump([&](const std::string& line) { lines.push_back(line); });
    EXPECT_EQ(lines, (Lines{"", "DESYNC profile 1 (noname)", "host=a.com counter=1 time_left=50",
                            "", "DESYNC profile 0 (no_action)"}));
}

TEST_F(Auto, PoolIsBounded) {
    make({});
    hosts->set_debug_log("/dev/null");
    for (int i = 0; i < 10'050; ++i)
        fail("host" + std::to_string(i) + ".com");
    std::size_t count = 0;
    std::string first;
    hosts->dump([&](const std::string& line) {
        if (!line.starts_with("host=")) return;
        if (count++ == 0) first = line;
    });
    EXPECT_EQ(count, 10'000U);
    EXPECT_TRUE(first.starts_with("host=host50.com ")) << first; // the oldest gave way
}

} // namespace
} // namespace nfqws2::profile
