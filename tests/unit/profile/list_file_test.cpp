#include "nfqws2/profile/list_file.hpp"

#include "nfqws2/base/idn.hpp"
#include "profile_testing.hpp"

#include <fcntl.h>

namespace nfqws2::profile {
namespace {

using testing::gzip;
using testing::ip;
using testing::TempDir;
using Lines = std::vector<std::string>;

TEST(HostListFile, LoadAndInstall) {
    const TempDir dir;
    HostListFile list(dir.write("h", "a.com\nA.com\n^b.com\n"));
    EXPECT_TRUE(list.empty());
    LoadedList loaded = list.load();
    ASSERT_TRUE(loaded.ok);
    EXPECT_EQ(loaded.status, (Lines{"Loading hostlist " + list.file(), "loading plain text list",
                                    "Loaded 3 hosts from " + list.file()}));
    EXPECT_TRUE(list.empty()); // reading changes nothing
    list.install(loaded, list.generation());
    EXPECT_FALSE(list.empty());
    EXPECT_TRUE(list.contains({"x.a.com", false}));
    EXPECT_FALSE(list.contains({"x.b.com", false}));
}

TEST(HostListFile, GzipStatus) {
    const TempDir dir;
    const HostListFile list(dir.write("h", gzip("a.com\n")));
    EXPECT_EQ(list.load().status[1], "zlib compression detected. uncompressed size : 6");
}

TEST(HostListFile, MatchingEntry) {
    const TempDir dir;
    HostListFile list(dir.write("h", "a.com\n^b.com\n"));
    LoadedList loaded = list.load();
    list.install(loaded, 0);
    EXPECT_EQ(list.matching_entry({"x.y.a.com", false}), "a.com");
    EXPECT_EQ(list.matching_entry({"b.com", false}), "^b.com");
    EXPECT_EQ(list.matching_entry({"x.b.com", false}), "");
}

TEST(HostListFile, WarnsOfEntriesThatNeverMatch) {
    const TempDir dir;
    const HostListFile list(
        dir.write("h", "a.com\n*.b.com\n.c.com\n^\nhttp://d.com/\n^*.e.com\nok.com\n"));
    const LoadedList loaded = list.load();
    ASSERT_EQ(loaded.warnings.size(), 5U);
    EXPECT_EQ(loaded.warnings[0], "host list entry never matches : *.b.com (" + list.file() +
                                      " line 2): sub-domains are always included, leave *. out");
    EXPECT_EQ(loaded.warnings[4], "host list entry never matches : ^*.e.com (" + list.file() +
                                      " line 6): sub-domains are always included, leave *. out");
}

TEST(HostListFile, FinalDotsAndInternationalNames) {
    const TempDir dir;
    HostListFile list(dir.write("h", "example.tv.\n^пример.рф\nСобака.рф # comment\n"));
    LoadedList loaded = list.load();
    list.install(loaded, 0);
    EXPECT_TRUE(list.contains({"www.example.tv", false}));
    EXPECT_TRUE(list.contains({"www.example.tv.", false}));
    EXPECT_EQ(list.matching_entry({"www.example.tv.", false}), "example.tv");
    EXPECT_FALSE(list.contains({"www.example.tv..", false}));
    list.add("added.org.");
    EXPECT_TRUE(list.contains({"www.added.org", false}));
    EXPECT_EQ(list.unwritten(), "added.org\n");
    if (!can_convert_names()) return;
    EXPECT_EQ(loaded.warnings, Lines{});
    EXPECT_TRUE(list.contains({"xn--e1afmkfd.xn--p1ai", false}));
    EXPECT_FALSE(list.contains({"x.xn--e1afmkfd.xn--p1ai", false}));
    EXPECT_TRUE(list.contains({"www.xn--80aab1brr.xn--p1ai", false}));
}

TEST(HostListFile, Utf16IsSaidOnce) {
    const TempDir dir;
    const std::string text("\xFF\xFE*\0a\0\n\0*\0b\0\n\0", 14);
    const std::string path = dir.write("h", text);
    const Lines said{path + " is UTF-16 text, none of its entries matches: save it as UTF-8"};
    EXPECT_EQ(HostListFile(path).load().warnings, said);
    EXPECT_EQ(NetListFile(path).load().warnings, said);
    EXPECT_EQ(HostListFile(dir.write("z", gzip(text))).load().warnings.size(), 1U);
}

TEST(HostListFile, WarningsAreBounded) {
    const TempDir dir;
    std::string text;
    for (int i = 0; i < 50; ++i)
        text += "*.com\n";
    const HostListFile list(dir.write("h", text));
    const LoadedList loaded = list.load();
    ASSERT_EQ(loaded.warnings.size(), 6U);
    EXPECT_EQ(loaded.warnings.back(), "45 more in " + list.file());
}

TEST(HostListFile, AutomaticIsNeverEmpty) {
    HostListFile list("/x");
    EXPECT_TRUE(list.empty());
    list.set_automatic();
    EXPECT_FALSE(list.empty());
    EXPECT_FALSE(list.has_entries());
}

TEST(HostListFile, AdditionsCountAtOnce) {
    HostListFile list("/x");
    list.add("b.com");
    list.add("a.com");
    list.add("a.com");
    EXPECT_TRUE(list.contains({"x.a.com", false}));
    EXPECT_FALSE(list.contains({"1.a.com", true}));
    EXPECT_EQ(list.unwritten(), "a.com\nb.com\n");
    EXPECT_EQ(list.matching_entry({"x.a.com", false}), "a.com");
    list.set_written();
    EXPECT_EQ(list.unwritten(), "");
    EXPECT_FALSE(list.has_unwritten());
    EXPECT_TRUE(list.contains({"a.com", false}));
}

TEST(HostListFile, AdditionWidensAStrictEntry) {
    const TempDir dir;
    HostListFile list(dir.write("h", "^a.com\n"));
    LoadedList loaded = list.load();
    list.install(loaded, 0);
    list.add("a.com");
    EXPECT_TRUE(list.contains({"x.a.com", false}));
}

TEST(HostListFile, AdditionsSurviveALoadThatBeganBefore) {
    const TempDir dir;
    HostListFile list(dir.write("h", "old.com\n"));
    const std::uint64_t before = list.generation();
    LoadedList loaded = list.load();
    list.add("new.com");
    list.set_written();
    list.add("pending.com");
    list.install(loaded, before);
    EXPECT_TRUE(list.contains({"new.com", false}));
    EXPECT_TRUE(list.contains({"pending.com", false}));

    LoadedList later = list.load(); // somebody has removed new.com from the file
    list.install(later, list.generation());
    EXPECT_FALSE(list.contains({"new.com", false}));
    EXPECT_TRUE(list.contains({"pending.com", false})); // not in the file yet
}

TEST(NetListFile, LoadsAndReportsBadLines) {
    const TempDir dir;
    NetListFile list(dir.write("n", "10.0.0.0/8 # x\n\nbogus\n2001:db8::/32\n10.0.0.1-10.0.0.9\n"
                                    "10.0.0.0/8\n"));
    LoadedList loaded = list.load();
    ASSERT_TRUE(loaded.ok);
    EXPECT_EQ(loaded.warnings,
              (Lines{"bad ip or subnet : bogus (" + list.file() + " line 3)",
                     "bad ip or subnet : 10.0.0.1-10.0.0.9 (" + list.file() + " line 5)"}));
    EXPECT_EQ(loaded.status.back(), "Loaded 3 ip/subnets from " + list.file());
    EXPECT_TRUE(list.empty());
    list.install(loaded, 0);
    EXPECT_FALSE(list.empty());
    EXPECT_TRUE(list.contains(ip("10.1.1.1")));
    EXPECT_EQ(list.matching_entry(ip("2001:db8::1")), "2001:db8::/32");
    EXPECT_EQ(list.matching_entry(ip("::1")), "");
}

TEST(FixedLists, CollectItems) {
    FixedHostList hosts;
    hosts.add("a.com,^b.com,d.com.");
    EXPECT_EQ(hosts.flaws(), "");
    EXPECT_TRUE(hosts.contains({"d.com", false}));
    hosts.add("*.e.com,f.com,g.com:1");
    EXPECT_EQ(hosts.flaws(), "*.e.com: sub-domains are always included, leave *. out; "
                             "g.com:1: write the host name alone, without a port");
    hosts.add("c.com");
    EXPECT_TRUE(hosts.contains({"a.com", false}));
    EXPECT_TRUE(hosts.contains({"x.c.com", false}));
    EXPECT_FALSE(hosts.contains({"x.b.com", false}));
    EXPECT_EQ(hosts.matching_entry({"b.com", false}), "^b.com");
    EXPECT_EQ(hosts.file(), "");
    FixedNetList nets;
    nets.add("10.0.0.1");
    nets.add("10.0.0.2");
    EXPECT_TRUE(nets.contains(ip("10.0.0.1")));
    EXPECT_TRUE(nets.contains(ip("10.0.0.2")));
    EXPECT_EQ(nets.matching_entry(ip("10.0.0.2")), "10.0.0.2/32");
}

TEST(Signature, TellsFilesApart) {
    const TempDir dir;
    const std::string path = dir.write("f", "aaaa");
    const auto first = read_signature(path);
    ASSERT_TRUE(first);
    EXPECT_EQ(first, read_signature(path));
    timespec times[2] = {{1000, 0}, {1000, 0}};
    utimensat(AT_FDCWD, path.c_str(), times, 0);
    const auto second = read_signature(path);
    times[1].tv_nsec = 1; // the same second
    utimensat(AT_FDCWD, path.c_str(), times, 0);
    EXPECT_NE(second, read_signature(path));
    EXPECT_FALSE(read_signature(dir.file("missing")));
}

} // namespace
} // namespace nfqws2::profile
