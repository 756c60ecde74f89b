// Values of the profile options: errors with their hints, limits, defaults.
#include "builder_fixture.hpp"

namespace nfqws2::profile {
namespace {

using Values = testing::BuilderFixture;
using Defaults = testing::BuilderFixture;

TEST_F(Values, Errors) {
    EXPECT_EQ(error_of("--filter-l3=ipv5"), "bad value for --filter-l3 : ipv5");
    EXPECT_EQ(error_of("--filter-l3="), "bad value for --filter-l3 : ");
    EXPECT_EQ(error_of("--filter-tcp=80-"), "Invalid port filter : 80-");
    EXPECT_EQ(error_of("--filter-udp=~*"), "Invalid port filter : ~*");
    EXPECT_EQ(error_of("--filter-lport=x"), "Invalid port filter : x");
    EXPECT_EQ(error_of("--filter-icmp=256"), "Invalid icmp filter : 256");
    EXPECT_EQ(error_of("--filter-ipp=gre"), "Invalid ip protocol filter : gre");
    EXPECT_EQ(error_of("--filter-l7=foo,all"), "Invalid l7 filter : foo,all");
    EXPECT_EQ(error_of("--payload=tls"), "Invalid payload filter : tls");
    EXPECT_EQ(error_of("--in-range=n5"), "invalid packet range value : n5");
    EXPECT_EQ(error_of("--out-range="), "invalid packet range value : ");
    EXPECT_TRUE(options.give("--filter-l7=tls,all,foo"));
}

TEST_F(Values, HintsOfNames) {
    EXPECT_EQ(hint_of("--filter-l7=tls,quik"), "(unknown name 'quik', did you mean 'quic'?)");
    EXPECT_EQ(hint_of("--filter-l7=TLS"), "(unknown name 'TLS', did you mean 'tls'?)");
    EXPECT_EQ(hint_of("--filter-l7=gopher9").substr(0, 54),
              "(unknown name 'gopher9', there are all unknown known h");
    EXPECT_EQ(hint_of("--filter-l7="), "(a name is empty, names are separated by single commas)");
    EXPECT_EQ(hint_of("--payload=tls"),
              "(unknown name 'tls', there are tls_client_hello tls_server_hello)");
    EXPECT_EQ(hint_of("--payload=quic"), "(unknown name 'quic', did you mean 'quic_initial'?)");
    EXPECT_EQ(hint_of("--payload=http_req,tls_client_helo"),
              "(unknown name 'tls_client_helo', did you mean 'tls_client_hello'?)");
    EXPECT_EQ(hint_of("--payload=something_else"), "(unknown name 'something_else')");
    EXPECT_EQ(hint_of("--import=web"), "(no template ends before this option)");
    for (const char* word : {"--template=web", "--new", "--template=quic", "--new"})
        ASSERT_TRUE(options.give(word));
    EXPECT_EQ(hint_of("--import=wbe"), "(did you mean 'web'?)");
    EXPECT_EQ(hint_of("--import=youtube"), "(templates before this option: web, quic)");
}

TEST_F(Values, HintsOfNumbers) {
    const std::string ports = "should be ports like 80,443,1000-2000 or ~22 for all others)";
    EXPECT_EQ(hint_of("--filter-tcp=80;443"), "(" + ports);
    EXPECT_EQ(hint_of("--filter-tcp=80,x,y"), "('x' is wrong, " + ports);
    EXPECT_EQ(hint_of("--filter-udp=80,"), "(an item is empty, " + ports);
    EXPECT_EQ(hint_of("--filter-lport=1,90-80"), "('90-80' is wrong, " + ports);
    EXPECT_EQ(hint_of("--filter-icmp=8,echo"),
              "('echo' is wrong, should be numbers like 8 or 3:1 (type:code), * or -)");
    EXPECT_EQ(hint_of("--filter-ipp=gre"), "(should be numbers like 47,50, * or -)");
    EXPECT_EQ(hint_of("--filter-l3=4"), "(should be ipv4, ipv6 or ipv4,ipv6)");
    EXPECT_EQ(hint_of("--out-range=d10"), "(should be x, a, or a range like -d10, n3-, s1<s5000)");
    EXPECT_EQ(hint_of("--hostlist-auto-fail-time=1m"), "(should be a number of seconds from 1 on)");
    EXPECT_EQ(hint_of("--hostlist-auto-udp-in=x"), "(should be a number from 0 on)");
}

TEST_F(Values, HintsOfLists) {
    EXPECT_EQ(hint_of("--hostlist=youtube.com"), "(for host names use --hostlist-domains)");
    EXPECT_EQ(hint_of("--hostlist-exclude=a.com,b.com"),
              "(for host names use --hostlist-exclude-domains)");
    for (const char* file : {"list.txt", "hosts", "dir/youtube.com", "hosts.gz", ""})
        EXPECT_EQ(hint_of(std::string("--hostlist=") + file), "") << file;
    EXPECT_EQ(hint_of("--ipset=192.0.2.0/24"), "(for addresses use --ipset-ip)");
    EXPECT_EQ(hint_of("--ipset-exclude=2001:db8::1,192.0.2.1"),
              "(for addresses use --ipset-exclude-ip)");
    EXPECT_EQ(hint_of("--ipset=nets.txt"), "");
    EXPECT_FALSE(options.give("--hostlist=" + dir.file("missing")));
    EXPECT_NE(options.error.find("' (No such file or directory)\n"), std::string::npos);
    std::filesystem::create_directory(dir.file("folder"));
    EXPECT_FALSE(options.give("--hostlist=" + dir.file("folder")));
    EXPECT_NE(options.error.find("' (Is a directory)\n"), std::string::npos);
    EXPECT_FALSE(options.give("--hostlist-auto=/no/such/dir/file"));
    EXPECT_EQ(options.error, "cannot create /no/such/dir/file (No such file or directory)");
}

TEST_F(Values, FileErrors) {
    const std::string missing = dir.file("missing");
    EXPECT_EQ(error_of("--hostlist=" + missing), "cannot access hostlist file '" + missing +
                                                     "'\nfailed to register hostlist '" + missing +
                                                     "'");
    EXPECT_EQ(error_of("--ipset-exclude=" + missing), "cannot access ipset file '" + missing +
                                                          "'\nfailed to register ipset '" +
                                                          missing + "'");
    const std::string impossible = dir.file("no/such/dir");
    EXPECT_EQ(error_of("--hostlist-auto=" + impossible), "cannot create " + impossible);
    const std::string packed = dir.write("packed", testing::gzip("a.com\n"));
    EXPECT_EQ(error_of("--hostlist-auto=" + packed), "gzipped auto hostlists are not supported");
    ASSERT_TRUE(options.give("--hostlist-auto=" + dir.file("auto")));
    EXPECT_EQ(error_of("--hostlist-auto=" + dir.file("auto")),
              "only one auto hostlist per profile is supported");
}

TEST_F(Values, AutoLimits) {
    for (const char* bad : {"0", "21", "x", "-1", ""})
        EXPECT_EQ(error_of(std::string("--hostlist-auto-fail-threshold=") + bad),
                  std::string("auto hostlist fail threshold must be within 1..20 : ") + bad);
    for (const char* bad : {"0", "x", "-5"})
        EXPECT_EQ(error_of(std::string("--hostlist-auto-fail-time=") + bad),
                  std::string("auto hostlist fail time is not valid : ") + bad);
    for (const char* bad : {"1", "11"})
        EXPECT_EQ(error_of(std::string("--hostlist-auto-retrans-threshold=") + bad),
                  std::string("auto hostlist fail threshold must be within 2..10 : ") + bad);
    EXPECT_FALSE(options.give("--hostlist-auto-udp-in=-1"));
    EXPECT_FALSE(options.give("--hostlist-auto-udp-out=-1"));
    EXPECT_FALSE(options.give("--hostlist-auto-retrans-maxseq=1x"));
    EXPECT_TRUE(options.give("--hostlist-auto-incoming-maxseq=0"));
    EXPECT_TRUE(options.give("--hostlist-auto-fail-threshold=1"));
    EXPECT_TRUE(options.give("--hostlist-auto-fail-threshold=20"));
    EXPECT_TRUE(options.give("--hostlist-auto-retrans-threshold=2"));
    EXPECT_TRUE(options.give("--hostlist-auto-retrans-threshold=10"));
    EXPECT_TRUE(options.give("--hostlist-auto-retrans-maxseq=4294967295"));
}

TEST_F(Values, AutoDefaults) {
    ASSERT_TRUE(options.parse({}));
    const AutoHostOptions& o = at(0).auto_options;
    EXPECT_EQ(o.fail_threshold, 3U);
    EXPECT_EQ(o.fail_time, 60U);
    EXPECT_EQ(o.retrans_threshold, 3U);
    EXPECT_EQ(o.retrans_maxseq, 32768U);
    EXPECT_TRUE(o.retrans_reset);
    EXPECT_EQ(o.incoming_maxseq, 4096U);
    EXPECT_EQ(o.udp_out, 4U);
    EXPECT_EQ(o.udp_in, 1U);
}

TEST_F(Values, RetransReset) {
    ASSERT_TRUE(options.parse({"--hostlist-auto-retrans-reset=0", "--new",
                               "--hostlist-auto-retrans-reset=2", "--new",
                               "--hostlist-auto-retrans-reset="}));
    EXPECT_FALSE(at(0).auto_options.retrans_reset);
    EXPECT_FALSE(at(2).auto_options.retrans_reset);
    EXPECT_TRUE(at(1).auto_options.retrans_reset);
    for (const char* bad : {"x", "yes", "-1"})
        EXPECT_FALSE(options.give(std::string("--hostlist-auto-retrans-reset=") + bad)) << bad;
}

TEST_F(Values, NewResetsTheFilterState) {
    ASSERT_TRUE(options.parse({"--payload=dht", "--in-range=n1-", "--out-range=x", "--lua-desync=f",
                               "--payload=all", "--lua-desync=g", "--new", "--lua-desync=h"}));
    EXPECT_TRUE(at(0).instances[1].payload.empty());
    EXPECT_EQ(flow::to_text(at(0).instances[1].in_range), "n1-a0");
    const LuaInstance& h = at(1).instances[0];
    EXPECT_TRUE(h.payload.empty());
    EXPECT_EQ(h.in_range, flow::Range::never());
    EXPECT_EQ(h.out_range, flow::Range::always());
}

TEST_F(Values, L7ReplacesL3Accumulates) {
    ASSERT_TRUE(options.parse(
        {"--filter-l7=http", "--filter-l7=tls", "--filter-l3=ipv4", "--filter-l3=ipv6"}));
    EXPECT_EQ(at(0).l7, protocol::L7Set::of(protocol::L7::tls));
    EXPECT_TRUE(at(0).ipv4 && at(0).ipv6);
}

TEST_F(Values, SameFileIsOneList) {
    const std::string a = dir.write("a", "");
    ASSERT_TRUE(options.parse(
        {"--hostlist=" + a, "--hostlist=" + dir.file("./a"), "--new", "--hostlist-exclude=" + a}));
    EXPECT_EQ(at(0).hosts.lists().size(), 1U);
    EXPECT_EQ(at(0).hosts.lists()[0], at(1).hosts_exclude.lists()[0]);
}

TEST_F(Values, BadNetworksAreReportedAndSkipped) {
    ASSERT_TRUE(options.give("--ipset-ip=10.0.0.1,,bogus,10.0.0.0/33,2001:db8::/32"));
    EXPECT_EQ(options.error, "bad ip or subnet : bogus,10.0.0.0/33 (skipped; should be like "
                             "192.0.2.1,2001:db8::/32)");
    ASSERT_TRUE(options.give("--ipset-exclude-ip=10.0.0.1-10.0.0.9"));
    EXPECT_EQ(testing::without_hints(options.error), "bad ip or subnet : 10.0.0.1-10.0.0.9");
    ASSERT_TRUE(options.finish());
    EXPECT_TRUE(at(0).nets.find(testing::ip("10.0.0.1")));
    EXPECT_TRUE(at(0).nets.find(testing::ip("2001:db8::1")));
}

TEST_F(Defaults, OneGroupShutsTheOthers) {
    ASSERT_TRUE(options.parse({"--filter-tcp=80", "--new", "--filter-udp=53", "--new",
                               "--filter-icmp=8", "--new", "--filter-ipp=47", "--new"}));
    for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(at(i).tcp.matches(80), i == 0 || i == 4) << i;
        EXPECT_EQ(at(i).udp.matches(53), i == 1 || i == 4) << i;
        EXPECT_EQ(at(i).icmp.matches(8, 0), i == 2 || i == 4) << i;
        EXPECT_EQ(at(i).ipp.matches(47), i == 3 || i == 4) << i;
        EXPECT_TRUE(at(i).ipv4 && at(i).ipv6) << i;
    }
}

TEST_F(Defaults, LocalPortShutsProtocolsWithoutPorts) {
    ASSERT_TRUE(options.parse({"--filter-lport=1000"}));
    EXPECT_TRUE(at(0).tcp.empty());
    EXPECT_TRUE(at(0).udp.empty());
    EXPECT_FALSE(at(0).icmp.matches(8, 0));
    EXPECT_FALSE(at(0).ipp.matches(47));
}

} // namespace
} // namespace nfqws2::profile
