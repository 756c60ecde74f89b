#include "profile_testing.hpp"

#include "nfqws2/base/file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace nfqws2::profile {
namespace {

using testing::gzip;
using testing::ip;
using testing::tcp;
using testing::TempDir;
using testing::with_host;
using testing::World;

struct Store : ::testing::Test {
    TempDir dir;
    VirtualClock clock{1'000'000'000'000};
    ListStore lists{clock};
    std::string error;

    void SetUp() override {
        ::testing::internal::CaptureStdout();
        ::testing::internal::CaptureStderr();
    }
    void TearDown() override {
        ::testing::internal::GetCapturedStdout();
        ::testing::internal::GetCapturedStderr();
    }
    // Text on standard error since the last call.
    static std::string errors() {
        std::string text = ::testing::internal::GetCapturedStderr();
        ::testing::internal::CaptureStderr();
        return text;
    }
    static std::string status() {
        std::string text = ::testing::internal::GetCapturedStdout();
        ::testing::internal::CaptureStdout();
        return text;
    }
    void pass(double seconds) {
        clock.advance_to(clock.boot_ns() + static_cast<std::int64_t>(seconds * 1e9));
    }
    // A later moment, and what the packet path does then.
    void pass_and_poll(double seconds = 1.1) {
        pass(seconds);
        lists.poll();
    }
    std::shared_ptr<HostList> loaded(const std::string& text) {
        auto list = lists.host_file(dir.write("h", text), &error);
        EXPECT_TRUE(lists.load_all());
        return list;
    }
    // More than what is read at once on the packet path.
    static std::string large(const std::string& last) {
        std::string text;
        for (int i = 0; i < 10'000; ++i)
            text += "host" + std::to_string(i) + ".com\n";
        return text + last + "\n";
    }
};

TEST_F(Store, FilesAreSharedByRealPath) {
    const std::string path = dir.write("h", "a.com\n");
    std::filesystem::create_symlink(path, dir.file("link"));
    const auto list = lists.host_file(path, &error);
    EXPECT_EQ(list, lists.host_file(dir.file("link"), &error));
    EXPECT_EQ(list, lists.auto_host_file(dir.file("./h"), &error));
    EXPECT_EQ(list->file(), path);
    const auto nets = lists.net_file(path, &error);
    EXPECT_EQ(nets, lists.net_file(dir.file("link"), &error));
}

TEST_F(Store, AutoFileIsCreatedAndKept) {
    ASSERT_TRUE(lists.auto_host_file(dir.file("auto"), &error));
    EXPECT_EQ(dir.read("auto"), "");
    dir.write("old", "a.com\n");
    ASSERT_TRUE(lists.auto_host_file(dir.file("old"), &error));
    EXPECT_EQ(dir.read("old"), "a.com\n");
    EXPECT_EQ(lists.auto_files(), (std::vector<std::string>{dir.file("auto"), dir.file("old")}));
}

TEST_F(Store, LoadAll) {
    const auto hosts = lists.host_file(dir.write("h", "a.com\n"), &error);
    const auto nets = lists.net_file(dir.write("n", "10.0.0.0/8\nx\n"), &error);
    EXPECT_TRUE(lists.test_access());
    EXPECT_TRUE(lists.load_all());
    EXPECT_TRUE(hosts->contains({"a.com", false}));
    EXPECT_TRUE(nets->contains(ip("10.0.0.1")));
    EXPECT_EQ(status(), "Loading hostlist " + dir.file("h") +
                            "\nloading plain text list\nLoaded 1 hosts from " + dir.file("h") +
                            "\nLoading ipset " + dir.file("n") +
                            "\nloading plain text list\nLoaded 1 ip/subnets from " + dir.file("n") +
                            "\n");
    EXPECT_EQ(errors(), "bad ip or subnet : x (" + dir.file("n") + " line 2)\n");
}

TEST_F(Store, StartFailures) {
    const std::string path = dir.write("h", gzip("a.com\n").substr(0, 15));
    lists.host_file(path, &error);
    EXPECT_FALSE(lists.load_all());
    const std::string text = errors();
    EXPECT_NE(text.find("zlib decompression failed : result -3\n"), std::string::npos);
    EXPECT_NE(text.find("hostlists load failed\n"), std::string::npos);
    std::filesystem::remove(path);
    EXPECT_FALSE(lists.test_access());
    EXPECT_EQ(errors(), "file_open_test: No such file or directory\ncannot access hostlist file '" +
                            path + "'\n");
    EXPECT_TRUE(lists.load_all()); // missing files are tolerated
}

TEST_F(Store, AFileThatIsOnlyTestedTakesNoMemory) {
    const auto hosts = lists.host_file(dir.write("h", "a.com\n"), &error);
    const auto nets = lists.net_file(dir.write("n", "10.0.0.0/8\nx\n"), &error);
    lists.only_test();
    EXPECT_TRUE(lists.load_all());
    EXPECT_TRUE(hosts->empty() && nets->empty());
    EXPECT_EQ(errors(), "bad ip or subnet : x (" + dir.file("n") + " line 2)\n");
    dir.write("h", gzip("a.com\n").substr(0, 15));
    EXPECT_FALSE(lists.load_all());
}

TEST_F(Store, DirectoryFailsTheLoad) {
    ASSERT_TRUE(lists.net_file(dir.write("d", ""), &error));
    std::filesystem::remove(dir.file("d"));
    std::filesystem::create_directory(dir.file("d")); // between parsing and loading
    std::string culprit;
    EXPECT_FALSE(lists.test_access(&culprit));
    EXPECT_EQ(culprit, dir.file("d"));
    culprit.clear();
    EXPECT_FALSE(lists.load_all(&culprit));
    EXPECT_EQ(culprit, dir.file("d"));
    EXPECT_NE(errors().find("ipset load failed\n"), std::string::npos);
    EXPECT_FALSE(lists.host_file(dir.file("d"), &error));
}

TEST_F(Store, ReloadAfterAChange) {
    const auto list = loaded("a.com\n");
    dir.write("h", "b.com\n");
    lists.poll();
    EXPECT_TRUE(list->contains({"a.com", false})); // not before a second has passed
    pass_and_poll();
    EXPECT_FALSE(list->contains({"a.com", false}));
    EXPECT_TRUE(list->contains({"b.com", false}));
    status();
    pass_and_poll();
    EXPECT_EQ(status(), ""); // same signature
}

TEST_F(Store, ChecksAtMostOncePerSecond) {
    const auto list = loaded("a.com\n");
    pass_and_poll();
    dir.write("h", "b.com\n");
    pass_and_poll(0.9);
    EXPECT_TRUE(list->contains({"a.com", false}));
    pass_and_poll(0.2);
    EXPECT_TRUE(list->contains({"b.com", false}));
}

TEST_F(Store, LargeFilesAreReadInTheBackground) {
    const auto list = loaded(large("old.com"));
    dir.write("h", large("new.com"));
    pass_and_poll();
    lists.wait_for_loads();
    EXPECT_TRUE(list->contains({"new.com", false}));
    EXPECT_FALSE(list->contains({"old.com", false}));
    EXPECT_TRUE(list->contains({"host9999.com", false}));
}

TEST_F(Store, PollTakesFinishedLoadsOver) {
    const auto list = loaded(large("old.com"));
    dir.write("h", large("new.com"));
    pass_and_poll();
    for (int i = 0; i < 10'000 && !list->contains({"new.com", false}); ++i) {
        usleep(1000);
        lists.poll(); // the clock stands still
    }
    EXPECT_TRUE(list->contains({"new.com", false}));
}

TEST_F(Store, CompressedFilesToo) {
    const auto list = loaded(gzip("old.com\n"));
    EXPECT_TRUE(list->contains({"old.com", false}));
    dir.write("h", gzip("new.com\n"));
    pass_and_poll();
    lists.wait_for_loads();
    EXPECT_TRUE(list->contains({"new.com", false}));
}

TEST_F(Store, VanishedFileKeepsItsContents) {
    const auto list = loaded("a.com\n");
    std::filesystem::remove(dir.file("h"));
    pass_and_poll();
    EXPECT_TRUE(list->contains({"a.com", false}));
    EXPECT_EQ(errors(), "stat: No such file or directory\ncannot access hostlist file '" +
                            dir.file("h") + "'. in-memory content remains unchanged.\n");
    pass_and_poll();
    EXPECT_EQ(errors(), ""); // reported once
    dir.write("h", "b.com\n");
    pass_and_poll();
    EXPECT_TRUE(list->contains({"b.com", false}));
    std::filesystem::remove(dir.file("h"));
    pass_and_poll();
    EXPECT_NE(errors(), "");
}

TEST_F(Store, DamagedFileKeepsItsContents) {
    const auto list = loaded("a.com\n");
    dir.write("h", gzip("b.com\n").substr(0, 15));
    pass_and_poll();
    lists.wait_for_loads();
    EXPECT_TRUE(list->contains({"a.com", false}));
    EXPECT_NE(errors().find("zlib decompression failed : result -3\ncannot load hostlist file '" +
                            dir.file("h") + "'. in-memory content remains unchanged.\n"),
              std::string::npos);
    for (int i = 0; i < 15; ++i) { // tried again, but not reported again
        pass_and_poll();
        lists.wait_for_loads();
    }
    EXPECT_EQ(errors(), "");
    dir.write("h", gzip("c.com\n"));
    pass_and_poll();
    lists.wait_for_loads();
    EXPECT_TRUE(list->contains({"c.com", false}));
}

TEST_F(Store, EmptiedListWaitsUntilItStaysEmpty) {
    const auto list = loaded("a.com\n");
    dir.write("h", "");
    pass_and_poll();
    EXPECT_FALSE(list->empty());
    pass_and_poll();
    EXPECT_TRUE(list->empty());
    EXPECT_EQ(errors(),
              "hostlist file '" + dir.file("h") + "' is empty now: it is no condition any more\n");
    dir.write("h", "b.com\n");
    pass_and_poll();
    EXPECT_TRUE(list->contains({"b.com", false}));
}

TEST_F(Store, EmptiedListThatIsFilledAgainWasNeverEmpty) {
    const auto list = loaded("a.com\n");
    dir.write("h", "# being written\n");
    pass_and_poll();
    EXPECT_TRUE(list->contains({"a.com", false}));
    dir.write("h", "# being written\nb.com\n");
    pass_and_poll();
    EXPECT_TRUE(list->contains({"b.com", false}));
    EXPECT_FALSE(list->contains({"a.com", false}));
}

TEST_F(Store, EmptiedIpSetToo) {
    const auto list = lists.net_file(dir.write("n", "10.0.0.0/8\n"), &error);
    ASSERT_TRUE(lists.load_all());
    dir.write("n", "");
    pass_and_poll();
    EXPECT_TRUE(list->contains(ip("10.0.0.1")));
    pass_and_poll();
    EXPECT_TRUE(list->empty());
}

TEST_F(Store, HupReloadsEverything) {
    const auto hosts = lists.host_file(dir.write("h", "a.com\n"), &error);
    const auto nets = lists.net_file(dir.write("n", "10.0.0.0/8\n"), &error);
    const auto fixed = lists.anonymous_hosts();
    lists.add_domains(*fixed, "x.com");
    ASSERT_TRUE(lists.load_all());
    status();
    dir.write("h", ""); // meant, if HUP follows: no waiting
    lists.request_reload();
    lists.wait_for_loads();
    EXPECT_TRUE(hosts->empty());
    EXPECT_TRUE(nets->contains(ip("10.0.0.1")));
    EXPECT_TRUE(fixed->contains({"x.com", false}));
    const std::string text = status();
    EXPECT_NE(text.find("Loaded 0 hosts"), std::string::npos);
    EXPECT_NE(text.find("Loaded 1 ip/subnets"), std::string::npos); // although unchanged
}

TEST_F(Store, HupWithADamagedFileKeepsTheOldOne) {
    const auto list = loaded("a.com\n");
    dir.write("h", gzip("b.com\n").substr(0, 15));
    lists.request_reload();
    lists.wait_for_loads();
    EXPECT_TRUE(list->contains({"a.com", false}));
    std::filesystem::remove(dir.file("h"));
    lists.request_reload();
    EXPECT_TRUE(list->contains({"a.com", false}));
}

TEST_F(Store, HupDuringALoadLoadsOnceMore) {
    const auto list = loaded(large("one.com"));
    dir.write("h", large("two.com"));
    lists.request_reload();
    dir.write("h", large("three.com"));
    lists.request_reload();
    lists.wait_for_loads();
    EXPECT_TRUE(list->contains({"three.com", false}));
}

TEST_F(Store, ManyFilesAreCheckedInTurns) {
    std::vector<std::shared_ptr<HostList>> many;
    many.reserve(150);
    for (int i = 0; i < 150; ++i)
        many.push_back(lists.host_file(dir.write("f" + std::to_string(i), "a.com\n"), &error));
    ASSERT_TRUE(lists.load_all());
    for (int i = 0; i < 150; ++i)
        dir.write("f" + std::to_string(i), "bb.com\n");
    pass(1.1);
    for (int i = 0; i < 3; ++i)
        lists.poll();
    for (const auto& list : many)
        EXPECT_TRUE(list->contains({"bb.com", false})) << list->file();
}

TEST_F(Store, AppendHost) {
    const auto list = lists.auto_host_file(dir.write("auto", "a.com"), &error);
    ASSERT_TRUE(lists.load_all());
    status();
    EXPECT_TRUE(lists.append_host(*list, "b.com"));
    EXPECT_EQ(dir.read("auto"), "a.com\nb.com\n");
    EXPECT_TRUE(list->contains({"x.b.com", false}));
    pass_and_poll();
    EXPECT_EQ(status(), ""); // no reload because of our own addition
    dir.write("auto", "c.com\n");
    pass_and_poll();
    EXPECT_FALSE(list->contains({"b.com", false})); // removed by the user
    EXPECT_TRUE(list->contains({"c.com", false}));
}

TEST_F(Store, AppendKeepsForeignChangesVisible) {
    const auto list = lists.auto_host_file(dir.write("auto", "a.com\n"), &error);
    ASSERT_TRUE(lists.load_all());
    dir.write("auto", "a.com\nuser.com\n");
    EXPECT_TRUE(lists.append_host(*list, "b.com"));
    pass_and_poll();
    EXPECT_TRUE(list->contains({"user.com", false}));
    EXPECT_TRUE(list->contains({"b.com", false}));
}

TEST_F(Store, AppendToAVanishedFileKeepsTheContents) {
    const auto list = lists.auto_host_file(dir.write("auto", "a.com\n"), &error);
    ASSERT_TRUE(lists.load_all());
    std::filesystem::remove(dir.file("auto"));
    EXPECT_TRUE(lists.append_host(*list, "b.com"));
    pass_and_poll();
    EXPECT_TRUE(list->contains({"a.com", false}));
    EXPECT_EQ(dir.read("auto"), "b.com\n");
}

TEST_F(Store, FailedAppendIsTriedAgain) {
    const auto list = lists.auto_host_file(dir.write("auto", ""), &error);
    ASSERT_TRUE(lists.load_all());
    {
        const FileDescriptor holder(open(dir.file("auto").c_str(), O_RDWR));
        ASSERT_EQ(flock(holder.get(), LOCK_EX), 0);
        EXPECT_FALSE(lists.append_host(*list, "a.com"));
        EXPECT_TRUE(list->contains({"a.com", false})); // in memory at once
        EXPECT_EQ(errors(), "cannot write hostlist file '" + dir.file("auto") +
                                "', it is locked. will be tried again.\n");
        EXPECT_FALSE(lists.append_host(*list, "b.com"));
        EXPECT_EQ(errors(), ""); // reported once
    }
    pass_and_poll();
    EXPECT_EQ(dir.read("auto"), "");
    pass_and_poll(10);
    EXPECT_EQ(dir.read("auto"), "a.com\nb.com\n");
    pass_and_poll(20);
    EXPECT_EQ(dir.read("auto"), "a.com\nb.com\n");
}

TEST_F(Store, UnsafeEntriesAreRefused) {
    const auto list = lists.auto_host_file(dir.write("auto", ""), &error);
    for (const char* bad : {"", "a b", "a\nb", "#a", "^a.com", "/a", ".a.com", "a\x01", "\xD0\x9F",
                            "a;b", "a*", "a%"}) {
        EXPECT_FALSE(is_safe_entry(bad)) << bad;
        EXPECT_FALSE(lists.append_host(*list, bad)) << bad;
    }
    EXPECT_FALSE(is_safe_entry(std::string(256, 'a')));
    for (const char* good : {"a.com", "A-b_c.com", "1.2.3.4", "2001:db8::1", "xn--p1ai"})
        EXPECT_TRUE(is_safe_entry(good)) << good;
    EXPECT_EQ(dir.read("auto"), "");
    EXPECT_FALSE(lists.append_host(*lists.anonymous_hosts(), "a.com"));
}

TEST_F(Store, ReloadChangesTheSelection) {
    const std::string hosts = dir.write("h", "a.com\n");
    const std::string nets = dir.write("n", "10.0.0.0/8\n");
    World s({"--hostlist=" + hosts, "--ipset=" + nets});
    const Query q = with_host(tcp("10.0.0.1", 80), "b.com");
    EXPECT_EQ(s.select(q), 0U);
    dir.write("h", "a.com\nb.com\n");
    s.advance(1.1);
    EXPECT_EQ(s.select(q), 1U); // by the very search that finds the change
    dir.write("n", "11.0.0.0/8\n");
    s.advance(1.1);
    EXPECT_EQ(s.select(q), 0U);
    dir.write("n", "10.0.0.0/8\n");
    dir.write("h", "");
    s.advance(1.1);
    EXPECT_EQ(s.select(with_host(q, "c.com")), 0U);
    s.advance(1.1);
    EXPECT_EQ(s.select(with_host(q, "c.com")), 1U); // an empty list is no condition
    EXPECT_EQ(s.select(tcp("10.0.0.1", 80)), 1U);
}

TEST_F(Store, TheBudgetKnowsWhatListsTake) {
    MemoryBudget budget(MemoryBudget::least);
    const auto share = [&budget] { return budget.share(MemoryBudget::Part::lists); };
    const auto automatic = lists.auto_host_file(dir.write("auto", ""), &error);
    loaded(large("a.com"));
    lists.count_in(&budget);
    const std::size_t before = share();
    EXPECT_GT(before, 10'000U);
    EXPECT_TRUE(lists.append_host(*automatic, "b.com"));
    EXPECT_GT(share(), before);
    dir.write("h", "a.com\n");
    pass_and_poll();
    lists.wait_for_loads();
    EXPECT_LT(share(), before);
    lists.count_in(nullptr);
    EXPECT_EQ(share(), 0U);
}

// What a pipe gives is there only once, and its name may be out of reach when it is read.
TEST_F(Store, PipesAreOpenedAtOnceAndReadLater) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const std::string name = "/dev/fd/" + std::to_string(ends[0]);
    const auto list = lists.host_file(name, &error);
    ASSERT_TRUE(list) << error;
    close(ends[0]);
    ASSERT_EQ(write(ends[1], "a.com\n", 6), 6);
    close(ends[1]);
    EXPECT_TRUE(lists.test_access());
    EXPECT_TRUE(lists.load_all());
    EXPECT_TRUE(list->contains({"a.com", false}));
}

TEST_F(Store, TellsTheStateOfEachFile) {
    const std::string hosts = dir.write("hosts", "a.example\nb.example\n");
    const std::string nets = dir.write("nets", "192.0.2.0/24\n");
    lists.host_file(hosts, &error);
    lists.net_file(nets, &error);
    lists.auto_host_file(dir.file("auto"), &error);
    EXPECT_FALSE(lists.states()[0].loaded);
    ASSERT_TRUE(lists.load_all());
    const auto states = lists.states();
    ASSERT_EQ(states.size(), 3U);
    EXPECT_EQ(lists.count(), 3U);
    EXPECT_EQ(states[0].file, hosts);
    EXPECT_TRUE(states[0].hosts && states[0].loaded && !states[0].automatic && !states[0].loading);
    EXPECT_EQ(states[0].entries, 2U);
    EXPECT_EQ(states[0].size, 20U);
    EXPECT_GT(states[0].modified_ns, 0);
    EXPECT_GT(states[0].memory, 0U);
    EXPECT_EQ(states[0].failure, "");
    EXPECT_TRUE(states[1].automatic);
    EXPECT_EQ(states[2].file, nets);
    EXPECT_FALSE(states[2].hosts);
    EXPECT_EQ(states[2].entries, 1U);
}

TEST_F(Store, TellsWhyAFileIsNotRead) {
    const std::string path = dir.write("hosts", "a.example\n");
    lists.host_file(path, &error);
    ASSERT_TRUE(lists.load_all());
    ASSERT_EQ(rename(path.c_str(), dir.file("away").c_str()), 0);
    pass_and_poll();
    EXPECT_EQ(lists.states()[0].failure, "No such file or directory");
    EXPECT_EQ(lists.states()[0].entries, 1U);
    ASSERT_EQ(rename(dir.file("away").c_str(), path.c_str()), 0);
    pass_and_poll();
    EXPECT_EQ(lists.states()[0].failure, "");
    dir.write("hosts", gzip("b.example\n").substr(0, 15));
    pass_and_poll();
    lists.wait_for_loads();
    EXPECT_NE(lists.states()[0].failure, "");
    EXPECT_TRUE(lists.states()[0].loaded);
    EXPECT_FALSE(lists.loading());
}

} // namespace
} // namespace nfqws2::profile
