#include "checked.hpp"

#include <nlohmann/json.hpp>

namespace nfqws2::app {
namespace {

TEST(CheckLists, EmptyOnesAndUnusedTemplates) {
    const TempDir dir;
    Checked c({"--hostlist=" + dir.file("empty", ""), "--ipset=" + dir.file("nets", "# none\n"),
               "--hostlist=" + dir.file("full", "a.com\n"), "--hostlist-auto=" + (dir / "auto"),
               "--ipset-ip=,", "--new", "--template=t", "--new", "--template=used", "--new",
               "--filter-tcp=80", "--import=used"});
    const std::string real = std::filesystem::canonical(dir.path()).string();
    EXPECT_EQ(c.findings(),
              (Lines{"warning 1: list '" + real + "/empty' is empty and has no effect",
                     "warning 2: list '" + real + "/nets' is empty and has no effect",
                     "warning 5: list 'fixed' is empty and has no effect",
                     "warning 7: template 1 (t) is never imported"}));
}

std::string never(const std::string& label, const std::string& why) {
    return "profile " + label + " can never be selected: " + why;
}

TEST(CheckProfiles, AnEarlierOneWins) {
    EXPECT_EQ(
        Checked({"--name=a", "--filter-tcp=80,443", "--new=b", "--filter-tcp=443"}).findings(),
        (Lines{"warning 3: " + never("2 (b)", "profile 1 (a) always wins")}));
    EXPECT_EQ(Checked({"--new", "--filter-tcp=443"}).findings(),
              (Lines{"warning 1: " + never("2 (noname)", "profile 1 (noname) always wins")}))
        << "the implicit first profile takes everything";
}

TEST(CheckProfiles, SeveralEarlierOnesTogether) {
    EXPECT_EQ(Checked({"--filter-tcp=80", "--new", "--filter-tcp=443", "--filter-udp=443", "--new",
                       "--filter-tcp=80,443"})
                  .findings(),
              (Lines{"warning 5: " + never("3 (noname)", "profiles 1 (noname), 2 (noname) always "
                                                         "win")}));
    EXPECT_EQ(Checked({"--filter-tcp=80", "--new", "--filter-tcp=443", "--new",
                       "--filter-tcp=80,443,8080"})
                  .findings(),
              Lines{});
}

TEST(CheckProfiles, WhoeverHasMoreFiltersDoesNotWin) {
    const TempDir dir;
    const std::string list = "--hostlist=" + dir.file("l", "a.com\n");
    const std::vector<std::string> filters[] = {
        {"--filter-l3=ipv4"},
        {"--filter-l7=tls"},
        {"--filter-ssid=home"},
        {list},
        {"--hostlist-exclude-domains=a.com"},
        {"--hostlist-auto=" + (dir / "auto")},
        {"--ipset-ip=1.2.3.4"},
        {"--ipset-exclude-ip=1.2.3.4"},
        {"--filter-lport=1000-2000"},
        {"--filter-mark=1/1"},
        {"--filter-ctstate=new"},
        {"--filter-ctmark=1/1"},
        {"--filter-ctzone=1"},
        {"--filter-cthelper=ftp"},
        {"--filter-ctstatus=assured"},
        {"--filter-ssid=home", "--filter-ssid-neg"},
    };
    for (const auto& filter : filters) {
        std::vector<std::string> words = filter;
        words.insert(words.end(), {"--filter-tcp=443", "--new", "--filter-tcp=443"});
        EXPECT_EQ(Checked(words).findings(), Lines{}) << filter[0];
        words.insert(words.begin(), {"--filter-tcp=443", "--new"});
        EXPECT_EQ(Checked(words).findings().size(), 2U) << filter[0] << " behind a wide one";
    }
}

TEST(CheckProfiles, EqualOrWiderFiltersWin) {
    const TempDir dir;
    const std::string list = "--hostlist=" + dir.file("l", "a.com\n"),
                      nets = "--ipset=" + dir.file("n", "10.0.0.0/8\n");
    const std::vector<std::string> pairs[] = {
        {"--filter-l3=ipv4,ipv6", "--filter-l3=ipv6"},
        {"--filter-l7=tls,http", "--filter-l7=http"},
        {"--filter-l7=known", "--filter-l7=quic,tls"},
        {"--filter-ssid=a,b", "--filter-ssid=b"},
        {list, list},
        {nets, nets},
        {"--hostlist-auto=" + (dir / "auto"), list},
        {"--filter-lport=1-2000", "--filter-lport=1000-2000"},
        {"--filter-mark=1/1", "--filter-mark=3/0xFF"},
        {"--filter-ctstate=new,related", "--filter-ctstate=new"},
        {"--filter-ctmark=1/1", "--filter-ctmark=3/0xFF"},
        {"--filter-ctzone=1-9", "--filter-ctzone=5"},
        {"--filter-ctstatus=assured", "--filter-ctstatus=assured,confirmed"},
        {"--filter-tcp=~80", "--filter-tcp=443"},
        {"--filter-udp=*", "--filter-udp=1-65535"},
        {"--filter-icmp=8", "--filter-icmp=8:0"},
        {"--filter-ipp=*", "--filter-ipp=132"},
    };
    for (const auto& pair : pairs) {
        EXPECT_EQ(Checked({pair[0], "--new", pair[1]}).findings().size(), 1U) << pair[1];
        if (pair[0] != pair[1] && pair[0] != "--filter-udp=*") {
            EXPECT_EQ(Checked({pair[1], "--new", pair[0]}).findings(), Lines{}) << pair[0];
        }
    }
}

TEST(CheckProfiles, AStateThatNoFirstPacketHas) {
    EXPECT_EQ(Checked({"--filter-ctstate=established"}).findings().size(), 1U);
    EXPECT_EQ(Checked({"--filter-ctstate=established,new"}).findings(), Lines{});
    EXPECT_EQ(Checked({"--filter-ctstate=~new"}).findings(), Lines{});
}

TEST(CheckProfiles, MarkOutsideOfItsMask) {
    EXPECT_EQ(Checked({"--filter-mark=8/7", "--new"}).findings(),
              (Lines{"warning 1: " +
                     never("1 (noname)", "its --filter-mark has bits outside of its mask")}));
}

TEST(CheckProfiles, OtherNetworksAreComparedAsAWhole) {
    const std::vector<std::string> others = {"--filter-ssid=a", "--filter-ssid-neg"};
    const auto findings = [](std::vector<std::string> first,
                             const std::vector<std::string>& second) {
        first.emplace_back("--new");
        first.insert(first.end(), second.begin(), second.end());
        return Checked(first).findings().size();
    };
    EXPECT_EQ(findings(others, others), 1U);
    EXPECT_EQ(findings(others, {"--filter-ssid=a"}), 0U);
    EXPECT_EQ(findings({"--filter-ssid=a"}, others), 0U);
}

TEST(CheckProfiles, ExcludedHostsFallThrough) {
    const TempDir dir;
    const std::string list = "--hostlist=" + dir.file("l", "a.com\n");
    EXPECT_EQ(Checked({list, "--hostlist-exclude-domains=x.a.com", "--new", list}).findings(),
              Lines{});
}

TEST(CheckProfiles, ContradictingFilters) {
    EXPECT_EQ(Checked({"--filter-tcp=443", "--filter-l7=quic"}).findings(),
              (Lines{"warning 1: " + never("1 (noname)", "its filters contradict each other")}));
    EXPECT_EQ(Checked({"--filter-icmp=-"}).findings().size(), 1U);
    EXPECT_EQ(Checked({"--filter-icmp=8", "--filter-l7=tls"}).findings().size(), 1U);
    EXPECT_EQ(Checked({"--filter-tcp=443", "--filter-l7=quic,tls"}).findings(), Lines{});
    EXPECT_EQ(Checked({"--filter-udp=443", "--filter-l7=quic"}).findings(), Lines{});
}

TEST(CheckWords, WordsThatAreNoOptions) {
    const auto of = [](std::vector<std::string> words) {
        return Checked(std::move(words)).words().findings();
    };
    EXPECT_EQ(of({"--filter-tcp", "80", "--lua-desync=f"}), Lines{});
    const std::string no_effect = "' is no option and has no effect";
    EXPECT_EQ(of({"--filter-tcp=80,81", "443"}), Lines{"warning 2: '443" + no_effect});
    EXPECT_EQ(of({"filter-tcp=80"}),
              Lines{"warning 1: 'filter-tcp=80" + no_effect + ", did you mean '--filter-tcp=80'?"});
    EXPECT_EQ(of({"--debug=0", "--server", "0"}),
              Lines{"warning 3: '0" + no_effect + ", did you mean '--server=0'?"});
    EXPECT_EQ(of({"\u2013-filter-tcp=80"}),
              Lines{"warning 1: '\u2013-filter-tcp=80" + no_effect +
                    ", it begins with a dash that is none, write --"});
    EXPECT_EQ(of({"--", "--filter-tcp=80"}).size(), 1U);
}

TEST(CheckWords, SkippedPartsOfValues) {
    EXPECT_EQ(Checked({"--ipset-ip=10.0.0.1,10.0.0.0/99"}).words().findings(),
              (Lines{"warning 1: bad ip or subnet : 10.0.0.0/99 (skipped; should be like "
                     "192.0.2.1,2001:db8::/32)"}));
}

// Every protocol has one transport and contradicts the other.
TEST(CheckProfiles, ProtocolsOfTheOtherTransport) {
    for (auto i = static_cast<unsigned>(protocol::L7::known) + 1;
         i < static_cast<unsigned>(protocol::L7::count); i++) {
        const std::string name(protocol::name(static_cast<protocol::L7>(i)));
        const std::size_t complaints =
            Checked({"--filter-tcp=443", "--filter-l7=" + name}).findings().size() +
            Checked({"--filter-udp=443", "--filter-l7=" + name}).findings().size();
        EXPECT_EQ(complaints, 1U) << name;
    }
}

bool runs(std::vector<std::string> words) {
    words.push_back("--lua-desync=f");
    const Lines findings = Checked(words).findings();
    for (const std::string& line : findings)
        if (contains(line, "instance f_1_1 can never run: ")) return false;
    EXPECT_EQ(findings, Lines{});
    return true;
}

TEST(CheckInstances, EmptyRanges) {
    for (const char* range : {"x", "n5-n3", "n1<n1", "<n0", "s10-s9", "b3<b3", "d2-d1", "<s0"})
        EXPECT_FALSE(runs({std::string("--out-range=") + range})) << range;
    for (const char* range : {"a", "n5-n5", "-n1", "<n1", "s1<d1", "n3-d1", "s5-"})
        EXPECT_TRUE(runs({std::string("--out-range=") + range})) << range;
    EXPECT_TRUE(runs({"--out-range=x", "--in-range=a"}));
}

TEST(CheckInstances, CountersNeedTracking) {
    EXPECT_FALSE(runs({"--ctrack-disable", "--out-range=-n1"}));
    EXPECT_TRUE(runs({"--ctrack-disable", "--out-range=a"}));
    EXPECT_TRUE(
        contains(Checked({"--ctrack-disable", "--out-range=-n1", "--lua-desync=f"}).findings()[0],
                 "without connection tracking"));
}

TEST(CheckInstances, PayloadsThatTheFiltersShutOut) {
    EXPECT_FALSE(runs({"--filter-tcp=443", "--payload=quic_initial"}));
    EXPECT_FALSE(runs({"--filter-udp=443", "--payload=tls_client_hello,http_req"}));
    EXPECT_FALSE(runs({"--filter-tcp=443", "--payload=icmp"}));
    EXPECT_TRUE(runs({"--filter-tcp=443", "--payload=tls_client_hello"}));
    EXPECT_TRUE(runs({"--filter-udp=443", "--payload=quic_initial"}));
    EXPECT_TRUE(runs({"--filter-icmp=8", "--payload=icmp"}));
    EXPECT_TRUE(runs({"--filter-tcp=443", "--payload=known"}));
    EXPECT_TRUE(runs({"--filter-tcp=443", "--payload=unknown,empty"}));
    EXPECT_TRUE(runs({"--payload=quic_initial"}));
    EXPECT_TRUE(runs({"--filter-tcp=443", "--payload=ipv4"})) << "an ICMP error about the flow";
    EXPECT_FALSE(runs({"--filter-tcp=443", "--payload=ipv4", "--ctrack-disable"}));
}

TEST(CheckInstances, PayloadsThatAreSwitchedOff) {
    EXPECT_FALSE(runs({"--payload-disable", "--payload=tls_client_hello"}));
    EXPECT_FALSE(runs({"--payload-disable=http_req", "--payload=http_req"}));
    EXPECT_TRUE(runs({"--payload-disable=http_req", "--payload=http_req,tls_client_hello"}));
}

TEST(CheckInstances, PayloadsOfTheOtherDirection) {
    EXPECT_FALSE(runs({"--payload=http_reply"}));
    EXPECT_FALSE(runs({"--payload=tls_server_hello,xmpp_features"}));
    EXPECT_TRUE(runs({"--in-range=a", "--payload=http_reply"}));
    EXPECT_TRUE(runs({"--payload=xmpp_stream"})) << "both sides send it";
    EXPECT_TRUE(runs({"--payload=dns_response"})) << "UDP: nobody is told apart";
    EXPECT_FALSE(runs({"--server", "--payload=http_req"}));
    EXPECT_TRUE(runs({"--server", "--payload=http_reply"}));
    EXPECT_TRUE(runs({"--server", "--in-range=a", "--payload=http_req"}));
    EXPECT_TRUE(contains(Checked({"--payload=http_reply", "--lua-desync=f"}).findings()[0],
                         "occurs only in incoming packets, which --in-range does not let"));
}

const LuaGlobals globals = {{"fake", "function"},
                            {"multisplit", "function"},
                            {"mine", "function"},
                            {"luaexec", "function"},
                            {"tcpseg", "function"},
                            {"multidisorder", "function"},
                            {"fake_mod", "string"},
                            {"count", "number"},
                            {"tls_client_hello_clone", "function"},
                            {"circular", "function"},
                            {"cond_true", "function"},
                            {"condition", "function"},
                            {"fake_default", "string"},
                            {"pass", "function"},
                            {"send", "function"},
                            {"udp2icmp", "function"},
                            {"hostfakesplit", "function"}};

Lines about(const std::vector<std::string>& calls) {
    return Checked(instances_of(calls)).functions(globals).findings();
}

TEST(CheckFunctions, MustExist) {
    EXPECT_EQ(about({"fake:blob=0x01", "fke:blob=0x01"}),
              (Lines{"error 2: desync function 'fke' does not exist (did you mean 'fake'?) "
                     "(instance fke_1_2)"}));
    EXPECT_EQ(about({"count"}),
              (Lines{"error 1: desync function 'count' is a number, not a function (instance "
                     "count_1_1)"}));
    EXPECT_EQ(about({"oob"}), (Lines{"error 1: desync function 'oob' does not exist: its library "
                                     "is not loaded by any --lua-init (instance oob_1_1)"}));
    EXPECT_EQ(about({"mine:any=thing"}), Lines{});
}

TEST(CheckFunctions, ArgumentNames) {
    EXPECT_EQ(about({"fake:blob=0x01:ip_tl=3"}),
              (Lines{"warning 1: fake has no argument 'ip_tl' (did you mean 'ip_ttl'?) (instance "
                     "fake_1_1)"}));
    EXPECT_EQ(about({"send:payload=all:qwertyuiop"}),
              (Lines{"warning 1: send has no argument 'payload' (instance send_1_1)",
                     "warning 1: send has no argument 'qwertyuiop' (instance send_1_1)"}));
    EXPECT_EQ(about({"udp2icmp:ccode=199:scode=199", "udp2icmp:ctype=13:stype=14"}), Lines{});
    EXPECT_EQ(about({"udp2icmp:stype=1"}),
              (Lines{"error 1: udp2icmp: stype needs ctype beside it (instance udp2icmp_1_1)"}));
    EXPECT_EQ(about({"fake"}), (Lines{"error 1: fake needs argument 'blob' (instance fake_1_1)"}));
    EXPECT_EQ(about({"circular:fails=2:time=60", "fake:blob=0x01:strategy=1",
                     "pass:strategy=2:final:cond=cond_true:cond_neg"}),
              Lines{});
    EXPECT_EQ(about({"fake:blob=0x01:fool=mine:for_mine=1"}), Lines{}) << "mine may read it";
    EXPECT_EQ(about({"condition:iff=mine:for_mine=1"}), Lines{});
    EXPECT_EQ(about({"condition:iff=cond_tru"}),
              (Lines{"error 1: iff=cond_tru: no such function (did you mean 'cond_true'?) "
                     "(instance condition_1_1)"}));
}

TEST(CheckFunctions, FunctionsThatArgumentsName) {
    EXPECT_EQ(about({"circular:hostkey=mine:failure_detector=mine+mine:success_detector="}),
              Lines{});
    EXPECT_EQ(about({"circular:hostkey=mane"}),
              (Lines{"error 1: hostkey=mane: no such function (did you mean 'mine'?) (instance "
                     "circular_1_1)"}));
    EXPECT_EQ(about({"circular:failure_detector=mine+count"}),
              (Lines{"error 1: failure_detector=mine+count: no such function 'count' (instance "
                     "circular_1_1)"}));
    EXPECT_EQ(about({"fake:blob=0x01:fool=mane"}).size(), 1U);
    EXPECT_EQ(about({"fake:blob=0x01:fool=:ipfrag"}), Lines{});
    EXPECT_EQ(about({"condition:iff=cond_true+mine"}),
              (Lines{"error 1: iff=cond_true+mine: no such function (did you mean 'cond_true'?) "
                     "(instance condition_1_1)"}));
    EXPECT_EQ(about({"circular:hostkey=mine+pass"}),
              (Lines{"error 1: hostkey=mine+pass: no such function (instance circular_1_1)"}));
    EXPECT_EQ(about({"fake:blob=0x01:fool=mine+pass"})[0].substr(0, 8), "error 1:");
    EXPECT_EQ(about({"condition:iff="})[0].substr(0, 8), "error 1:");
    EXPECT_EQ(about({"circular:hostkey="})[0].substr(0, 8), "error 1:");
    EXPECT_EQ(about({"mine:hostkey=nono", "circular:hostkey=%fake_default"}), Lines{});
}

TEST(CheckFunctions, FunctionsMadeByEarlierInstances) {
    const std::string maker = "luaexec:code=function my_fool() end";
    EXPECT_EQ(about({maker, "fake:blob=0x01:fool=my_fool"}),
              (Lines{"notice 2: fool=my_fool: there is no such function now, instance "
                     "luaexec_1_1 may make it (instance fake_1_2)"}));
    EXPECT_EQ(about({maker, "circular:failure_detector=mine+my_fool"}),
              (Lines{"notice 2: failure_detector=mine+my_fool: there is no such function "
                     "'my_fool' now, instance luaexec_1_1 may make it (instance circular_1_2)"}));
    EXPECT_EQ(about({"fake:blob=0x01:fool=my_fool", maker})[0].substr(0, 8), "error 1:");
    EXPECT_EQ(about({maker, "condition:iff="})[0].substr(0, 8), "error 2:");
}

TEST(CheckFunctions, Blobs) {
    EXPECT_EQ(about({"fake:blob=fake_default"}), Lines{});
    EXPECT_EQ(about({"fake:blob=count"}), Lines{}) << "any global";
    EXPECT_EQ(about({"fake:blob=0x00ff"}), Lines{});
    EXPECT_EQ(about({"fake:blob=0x00f"}),
              (Lines{"error 1: blob=0x00f: bad hex string (instance fake_1_1)"}));
    EXPECT_EQ(about({"fake:blob=fake_defalt"}),
              (Lines{"error 1: blob=fake_defalt: blob 'fake_defalt' does not exist (did you mean "
                     "'fake_default'?) (instance fake_1_1)"}));
    EXPECT_EQ(about({"fake:blob=nono:optional"})[0].substr(0, 8), "warning ");
    EXPECT_EQ(about({"multisplit:seqovl_pattern=nono"}).size(), 1U);
    EXPECT_EQ(about({"mine:blob=nono"}), Lines{}) << "who knows what it means";
}

TEST(CheckFunctions, BlobsMadeByEarlierInstances) {
    EXPECT_EQ(about({"tls_client_hello_clone:blob=x", "fake:blob=x"}),
              (Lines{"notice 2: blob=x: there is no such blob now, instance "
                     "tls_client_hello_clone_1_1 may make it (instance fake_1_2)"}));
    EXPECT_EQ(about({"fake:blob=x", "tls_client_hello_clone:blob=x"})[0].substr(0, 8), "error 1:");
    EXPECT_EQ(about({"tls_client_hello_clone:blob=y", "fake:blob=x"})[0].substr(0, 8), "error 2:");
    EXPECT_EQ(about({"luaexec:code=desync.x=1", "fake:blob=x"})[0].substr(0, 9), "notice 2:");
    EXPECT_EQ(about({"mine", "fake:blob=x"})[0].substr(0, 9), "notice 2:");
}

TEST(CheckFunctions, Substitutions) {
    EXPECT_EQ(about({"multisplit:seqovl=#fake_default", "mine:a=%count:b=%func_instance:c=\\%x"}),
              Lines{});
    EXPECT_EQ(about({"mine:a=%fake_defalt"}),
              (Lines{"error 1: a: variable 'fake_defalt' does not exist (did you mean "
                     "'fake_default'?) (instance mine_1_1)"}));
    EXPECT_EQ(about({"luaexec:code=desync.z=1", "mine:a=#z"})[0].substr(0, 9), "notice 2:");
}

TEST(CheckFunctions, Positions) {
    EXPECT_EQ(about({"multisplit:pos=1,host+1,midsld,-10", "multidisorder:seqovl=host-3",
                     "tcpseg:pos=0,-1", "hostfakesplit:disorder_after:midhost=midsld"}),
              Lines{});
    EXPECT_EQ(about({"multisplit:pos=1,hots"}),
              (Lines{"error 1: pos=1,hots: bad position (e.g. 2, -10, host+1, midsld, or several "
                     "with commas) (instance multisplit_1_1)"}));
    EXPECT_EQ(about({"hostfakesplit:midhost=middle"}).size(), 1U);
}

TEST(Report, TextAndJson) {
    Arguments arguments{"nfqws2", "my.conf", {{"--qnum=1", 1}, {"--name=\"\xFF", 7}}};
    RealClock clock;
    profile::ListStore lists(clock);
    ParseState state(lists);
    state.option_at = {"qnum", "name"};
    Report report(arguments, state);
    EXPECT_EQ(report.text(), "check: 0 errors, 0 warnings, 0 notices\n");
    report.add(Level::notice, std::nullopt, "general");
    report.add(Level::warning, 1, "odd \xFF\"");
    EXPECT_FALSE(report.has_errors());
    report.add(Level::error, 0, "bad");
    EXPECT_TRUE(report.has_errors());
    EXPECT_EQ(report.text(), "error: option '--qnum' (my.conf:1): bad\n"
                             "warning: option '--name' (my.conf:7): odd \xFF\"\n"
                             "notice: general\n"
                             "check: 1 error, 1 warning, 1 notice\n");
    const auto json = nlohmann::json::parse(report.json());
    EXPECT_EQ(json["errors"], 1);
    EXPECT_EQ(json["warnings"], 1);
    EXPECT_EQ(json["notices"], 1);
    EXPECT_EQ(json["findings"][1], (nlohmann::json{{"level", "warning"},
                                                   {"option", "name"},
                                                   {"where", "my.conf:7"},
                                                   {"text", "odd \xC3\xBF\""}}));
    EXPECT_EQ(json["findings"][2]["option"], nullptr);
    EXPECT_EQ(json["findings"][2]["where"], nullptr);
}

} // namespace
} // namespace nfqws2::app
