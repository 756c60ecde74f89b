#include "profile_testing.hpp"

#include "nfqws2/base/log.hpp"

namespace nfqws2::profile {
namespace {

using testing::icmp;
using testing::ip;
using testing::tcp;
using testing::TempDir;
using testing::udp;
using testing::with_host;
using testing::World;

TEST(ProfileSet, NoActionIsLastAndAlwaysMatches) {
    const World s({"--filter-tcp=80", "--new=second", "--filter-udp=53"});
    ASSERT_EQ(s.profiles->all().size(), 3U);
    EXPECT_EQ(s.profiles->all().back()->label(), "0 (no_action)");
    EXPECT_EQ(s.select(tcp("10.0.0.1", 80)), 1U);
    EXPECT_EQ(s.select(udp("10.0.0.1", 53)), 2U);
    EXPECT_EQ(s.select(tcp("10.0.0.1", 443)), 0U);
    EXPECT_EQ(s.select(testing::protocol("::1", 255)), 0U);
    EXPECT_EQ(s.profiles->by_number(2).label(), "2 (second)");
    EXPECT_EQ(s.profiles->by_number(0).label(), "0 (no_action)");
    EXPECT_EQ(s.profiles->by_number(77).label(), "0 (no_action)");
}

TEST(ProfileSet, FirstMatchWins) {
    const World s({"--filter-tcp=80", "--new", "--filter-tcp=80-443", "--new"});
    EXPECT_EQ(s.select(tcp("10.0.0.1", 80)), 1U);
    EXPECT_EQ(s.select(tcp("10.0.0.1", 443)), 2U);
    EXPECT_EQ(s.select(tcp("10.0.0.1", 444)), 3U);
}

TEST(ProfileSet, Mark) {
    const World s({"--filter-mark=1/0xFFFF", "--new", "--filter-mark=2/0xFFFF"});
    const auto chosen = [&s](std::uint32_t mark) {
        Query q = tcp("10.0.0.1", 80);
        q.mark = mark;
        return s.select(q);
    };
    EXPECT_EQ(chosen(1), 1U);
    EXPECT_EQ(chosen(0x10001), 1U);
    EXPECT_EQ(chosen(2), 2U);
    EXPECT_EQ(chosen(3), 0U);
    EXPECT_EQ(chosen(0), 0U);
}

TEST(ProfileSet, MarkIsTestedFirst) {
    const World s({"--filter-mark=1", "--filter-l3=ipv6", "--filter-tcp=1"});
    EXPECT_EQ(s.refusal(tcp("10.0.0.1", 80)), "filter-mark");
    EXPECT_EQ(s.refusal(icmp("10.0.0.1", 8, 0)), "filter-mark");
}

TEST(ProfileSet, Family) {
    const World s({"--filter-l3=ipv6"});
    EXPECT_EQ(s.refusal(tcp("10.0.0.1", 80)), "filter-l3");
    EXPECT_EQ(s.refusal(tcp("2001:db8::1", 80)), "");
}

TEST(ProfileSet, Groups) {
    const World s({"--filter-tcp=80", "--filter-icmp=8,3:1", "--filter-ipp=47"});
    EXPECT_EQ(s.refusal(tcp("10.0.0.1", 80)), "");
    EXPECT_EQ(s.refusal(tcp("10.0.0.1", 0)), "filter-tcp"); // fragments
    EXPECT_EQ(s.refusal(udp("10.0.0.1", 80)), "filter-udp");
    EXPECT_EQ(s.refusal(icmp("10.0.0.1", 8, 5)), "");
    EXPECT_EQ(s.refusal(icmp("::1", 3, 1)), "");
    EXPECT_EQ(s.refusal(icmp("::1", 3, 2)), "filter-icmp");
    EXPECT_EQ(s.refusal(testing::protocol("10.0.0.1", 47)), "");
    EXPECT_EQ(s.refusal(testing::protocol("10.0.0.1", 50)), "filter-ipp");
}

TEST(ProfileSet, ProtocolFilterIsNotForTcpUdpIcmp) {
    const World s({"--filter-ipp=*"});
    for (const Query& q :
         {tcp("10.0.0.1", 80), udp("10.0.0.1", 80), icmp("10.0.0.1", 8, 0), icmp("::1", 128, 0)})
        EXPECT_EQ(s.select(q), 0U);
    EXPECT_EQ(s.select(testing::protocol("10.0.0.1", 47)), 1U);
}

TEST(ProfileSet, LocalPort) {
    const World s({"--filter-lport=1000-1010"});
    Query q = tcp("10.0.0.1", 80);
    EXPECT_EQ(s.refusal(q), "filter-lport"); // unknown
    q.lport = 1005;
    EXPECT_EQ(s.refusal(q), "");
    q.l4proto = IPPROTO_UDP;
    EXPECT_EQ(s.refusal(q), "");
    q.lport = 1011;
    EXPECT_EQ(s.refusal(q), "filter-lport");
    EXPECT_EQ(s.refusal(icmp("10.0.0.1", 8, 0)), "filter-icmp");
}

TEST(ProfileSet, FlowProtocol) {
    const World s(
        {"--filter-l7=tls,quic", "--new", "--filter-l7=known", "--new", "--filter-l7=unknown"});
    Query q = tcp("10.0.0.1", 80);
    EXPECT_EQ(s.select(q), 3U);
    q.l7 = protocol::L7::quic;
    EXPECT_EQ(s.select(q), 1U);
    q.l7 = protocol::L7::http;
    EXPECT_EQ(s.select(q), 2U);
    EXPECT_EQ(s.refusal(q), "filter-l7");
}

TEST(ProfileSet, Ssid) {
    const World s({"--filter-ssid=Home,Work"});
    EXPECT_TRUE(s.profiles->needs_ssid());
    Query q = tcp("10.0.0.1", 80);
    EXPECT_EQ(s.refusal(q), "filter-ssid");
    q.ssid = "Work";
    EXPECT_EQ(s.refusal(q), "");
    q.ssid = "work";
    EXPECT_EQ(s.refusal(q), "filter-ssid");
    EXPECT_FALSE(World({"--filter-tcp=80"}).profiles->needs_ssid());
}

TEST(ProfileSet, EveryOtherSsid) {
    const World s({"--filter-ssid=Home,Work", "--filter-ssid-neg=1"});
    Query q = tcp("10.0.0.1", 80);
    EXPECT_EQ(s.refusal(q), "") << "no Wi-Fi is none of the two";
    q.ssid = "Work";
    EXPECT_EQ(s.refusal(q), "filter-ssid");
    q.ssid = "Cafe";
    EXPECT_EQ(s.refusal(q), "");
    q.ssid = "Home";
    EXPECT_EQ(World({"--filter-ssid=Home", "--filter-ssid-neg=0"}).refusal(q), "");
    EXPECT_EQ(World({"--filter-ssid-neg=1"}).refusal(q), "") << "without names no effect";
}

TEST(ProfileSet, IncludeListNeedsTheHost) {
    const World s({"--hostlist-domains=one.com"});
    const Query q = tcp("10.0.0.1", 80);
    EXPECT_EQ(s.refusal(q), "hostlist");
    EXPECT_EQ(s.refusal(with_host(q, "a.one.com")), "");
    EXPECT_EQ(s.refusal(with_host(q, "two.com")), "hostlist");
    EXPECT_EQ(s.refusal(with_host(q, "one.com.")), ""); // deliberately better: the same host
    EXPECT_EQ(s.refusal(with_host(q, "two.com.")), "hostlist");
    EXPECT_EQ(s.refusal(with_host(q, ".")), "hostlist");
}

TEST(ProfileSet, ExcludeListNeedsTheHostToo) {
    const World s({"--hostlist-exclude-domains=one.com"});
    const Query q = tcp("10.0.0.1", 80);
    EXPECT_EQ(s.refusal(q), "hostlist-exclude");
    EXPECT_EQ(s.refusal(with_host(q, "a.one.com")), "hostlist-exclude");
    EXPECT_EQ(s.refusal(with_host(q, "two.com")), "");
}

TEST(ProfileSet, ExcludeGoesBeforeInclude) {
    const World s({"--hostlist-domains=one.com", "--hostlist-exclude-domains=bad.one.com"});
    const Query q = tcp("10.0.0.1", 80);
    std::vector<Rejection> rejected;
    EXPECT_EQ(s.profiles->select(with_host(q, "x.bad.one.com"), &rejected).profile->number, 0U);
    ASSERT_EQ(rejected.size(), 1U);
    EXPECT_EQ(rejected[0].profile, 1U);
    EXPECT_STREQ(rejected[0].by, "hostlist-exclude");
    EXPECT_EQ(rejected[0].list, "fixed");
    EXPECT_EQ(rejected[0].entry, "bad.one.com");
    EXPECT_EQ(s.select(with_host(q, "good.one.com")), 1U);
}

TEST(ProfileSet, SelectionTellsWhetherTheListsDecided) {
    TempDir dir;
    const World s({"--filter-tcp=80", "--hostlist-domains=one.com", "--new", "--filter-tcp=81",
                   "--hostlist-auto=" + dir.file("auto"), "--new"});
    const Selection listed = s.profiles->select(with_host(tcp("10.0.0.1", 80), "one.com"));
    EXPECT_TRUE(listed.list.done && listed.list.positive && !listed.list.excluded);
    const Selection automatic = s.profiles->select(with_host(tcp("10.0.0.1", 81), "one.com"));
    EXPECT_EQ(automatic.profile->number, 2U);
    EXPECT_FALSE(automatic.list.done);
    const Selection none = s.profiles->select(with_host(tcp("10.0.0.1", 82), "one.com"));
    EXPECT_EQ(none.profile->number, 3U);
    EXPECT_FALSE(none.list.done);
}

TEST(ProfileSet, CheckHosts) {
    const World s(
        {"--hostlist-domains=one.com", "--hostlist-exclude-domains=bad.one.com", "--new"});
    const Profile& p = s.profiles->by_number(1);
    const auto check = [&](std::string_view host) {
        const flow::ListVerdict v = s.profiles->check_hosts(p, host, false);
        EXPECT_TRUE(v.done);
        return v.excluded ? "excluded" : v.positive ? "positive" : "negative";
    };
    EXPECT_STREQ(check("one.com"), "positive");
    EXPECT_STREQ(check("bad.one.com"), "excluded");
    EXPECT_STREQ(check("two.com"), "negative");
    // no include list: everything that is not excluded
    EXPECT_TRUE(s.profiles->check_hosts(s.profiles->by_number(2), "x.y", false).positive);
}

TEST(ProfileSet, AutoListMatchesAnyKnownHost) {
    TempDir dir;
    const World s({"--hostlist-auto=" + dir.file("auto"), "--hostlist-exclude-domains=bad.com"});
    const Query q = tcp("10.0.0.1", 80);
    EXPECT_EQ(s.refusal(q), "hostlist-auto"); // never without a host
    EXPECT_EQ(s.refusal(with_host(q, "any.com")), "");
    EXPECT_EQ(s.refusal(with_host(q, "bad.com")), ""); // whatever the lists say
    const Profile& p = s.profiles->by_number(1);
    EXPECT_FALSE(s.profiles->check_hosts(p, "any.com", false).positive); // empty yet not "empty"
    EXPECT_TRUE(s.profiles->check_hosts(p, "bad.com", false).excluded);
}

TEST(ProfileSet, IpLiteralHostsMatchExactly) {
    const World s({"--hostlist-domains=10.99.1.2,2.3.4"});
    const Query q = tcp("10.0.0.1", 80);
    EXPECT_EQ(s.select(with_host(q, "10.99.1.2", true)), 1U);
    EXPECT_EQ(s.select(with_host(q, "1.10.99.1.2", false)), 1U);
    EXPECT_EQ(s.select(with_host(q, "1.2.3.4", true)), 0U);
}

TEST(ProfileSet, IpSets) {
    const World s({"--ipset-ip=10.0.0.0/8,2001:db8::/32", "--ipset-exclude-ip=10.1.0.0/16"});
    EXPECT_EQ(s.refusal(tcp("10.0.0.1", 80)), "");
    EXPECT_EQ(s.refusal(tcp("2001:db8::1", 80)), "");
    EXPECT_EQ(s.refusal(tcp("11.0.0.1", 80)), "ipset");
    EXPECT_EQ(s.refusal(tcp("::ffff:10.0.0.1", 80)), "ipset"); // families are kept apart
    std::vector<Rejection> rejected;
    s.profiles->select(tcp("10.1.2.3", 80), &rejected);
    EXPECT_STREQ(rejected.at(0).by, "ipset-exclude");
    EXPECT_EQ(rejected.at(0).entry, "10.1.0.0/16");
}

TEST(ProfileSet, IpSetsWithTwoAddresses) {
    const World s({"--ipset-ip=10.0.0.0/8", "--ipset-exclude-ip=172.16.0.1"});
    Query q = icmp("11.0.0.1", 8, 0);
    const IpAddress inside = ip("10.0.0.1");
    const IpAddress outside = ip("11.0.0.2");
    const IpAddress excluded = ip("172.16.0.1");
    q.second = &inside;
    EXPECT_EQ(s.refusal(q), "");
    q.second = &outside;
    EXPECT_EQ(s.refusal(q), "ipset");
    q.address = inside;
    EXPECT_EQ(s.refusal(q), "");
    q.second = &excluded;
    EXPECT_EQ(s.refusal(q), "ipset-exclude");
}

TEST(ProfileSet, OnlyExcludeSetPassesTheRest) {
    const World s({"--ipset-exclude-ip=10.1.0.0/16"});
    EXPECT_EQ(s.refusal(tcp("10.1.0.1", 80)), "ipset-exclude");
    EXPECT_EQ(s.refusal(tcp("10.2.0.1", 80)), "");
}

TEST(ProfileSet, EmptyListsAreNoCondition) {
    TempDir dir;
    const std::string empty = dir.write("empty", "# nothing\n");
    const World s({"--hostlist=" + empty, "--hostlist-exclude=" + empty, "--ipset=" + empty,
                   "--ipset-exclude=" + empty});
    EXPECT_EQ(s.refusal(tcp("10.0.0.1", 80)), "");
    EXPECT_EQ(s.refusal(with_host(tcp("10.0.0.1", 80), "any.com")), "");
}

TEST(ProfileSet, CheapFiltersAreNamedFirst) {
    const World s({"--filter-tcp=80", "--filter-l7=tls", "--ipset-ip=10.0.0.0/8",
                   "--hostlist-domains=one.com"});
    Query q = with_host(tcp("11.0.0.1", 81), "two.com");
    EXPECT_EQ(s.refusal(q), "filter-tcp");
    q.port = 80;
    EXPECT_EQ(s.refusal(q), "filter-l7");
    q.l7 = protocol::L7::tls;
    EXPECT_EQ(s.refusal(q), "ipset");
    q.address = ip("10.0.0.1");
    EXPECT_EQ(s.refusal(q), "hostlist");
    q.hostname = "one.com";
    EXPECT_EQ(s.refusal(q), "");
}

TEST(ProfileSet, DebugLines) {
    TempDir dir;
    const std::string nets = dir.write("ip.txt", "10.99.0.0/16\n");
    const std::string hosts = dir.write("hl.txt", "example.com\n");
    const World s({"--ipset=" + nets, "--hostlist=" + hosts});
    Query q = with_host(tcp("10.99.1.2", 80), "www.other.com");
    q.l7 = protocol::L7::http;
    q.mark = 0xAB;
    ::testing::internal::CaptureStdout();
    log::set_target_console();
    s.select(q);
    q.hostname = "example.com";
    s.select(q);
    const IpAddress second = ip("10.99.1.1");
    q.second = &second;
    s.select(q);
    log::set_target_none();
    const std::string text = ::testing::internal::GetCapturedStdout();
    for (const std::string& line : {
             std::string("desync profile search for tcp ip=10.99.1.2 port=80 icmp=255:255 "
                         "l7proto=http ssid='' mark=0x000000AB hostname='www.other.com'"),
             std::string("desync profile search for tcp ip1=10.99.1.2 ip2=10.99.1.1 port=80 "),
             std::string("* ipset check for profile 1 (noname)"),
             "[" + nets + "] include ipset check for 10.99.1.2 : positive",
             std::string("* hostlist check for profile 1 (noname)"),
             "[" + hosts + "] include hostlist check for www.other.com : negative",
             std::string("hostlist check for www.other.com : negative"),
             std::string("desync profile 0 (no_action) matches"),
             "[" + hosts + "] include hostlist check for example.com : positive",
             std::string("hostlist check for example.com : positive"),
             std::string("desync profile 1 (noname) matches"),
         })
        EXPECT_NE(text.find(line), std::string::npos) << line << "\nin\n" << text;
}

} // namespace
} // namespace nfqws2::profile
