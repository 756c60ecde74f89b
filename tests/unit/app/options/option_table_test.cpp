#include "app/options/option_table.hpp"

#include "../parse_helper.hpp"
#include "app/options/help.hpp"

#include <map>
#include <set>
#include <sstream>

namespace nfqws2::app {
namespace {

// Names and kinds of the options: R required, O optional, N none.
const std::map<std::string, char> specified = {{"debug", 'O'},
                                               {"dry-run", 'N'},
                                               {"version", 'N'},
                                               {"comment", 'O'},
                                               {"intercept", 'O'},
                                               {"fuzz", 'R'},
                                               {"qnum", 'R'},
                                               {"bind-fix4", 'N'},
                                               {"bind-fix6", 'N'},
                                               {"fwmark", 'R'},
                                               {"daemon", 'N'},
                                               {"chdir", 'O'},
                                               {"pidfile", 'R'},
                                               {"user", 'R'},
                                               {"uid", 'R'},
                                               {"ctrack-timeouts", 'R'},
                                               {"ctrack-disable", 'O'},
                                               {"payload-disable", 'O'},
                                               {"reasm-disable", 'O'},
                                               {"server", 'O'},
                                               {"ipcache-lifetime", 'R'},
                                               {"ipcache-hostname", 'O'},
                                               {"writable", 'O'},
                                               {"blob", 'R'},
                                               {"lua-init", 'R'},
                                               {"lua-gc", 'R'},
                                               {"hostlist-auto-debug", 'R'},
                                               {"new", 'O'},
                                               {"skip", 'N'},
                                               {"name", 'R'},
                                               {"template", 'O'},
                                               {"import", 'R'},
                                               {"cookie", 'R'},
                                               {"filter-mark", 'R'},
                                               {"filter-l3", 'R'},
                                               {"filter-tcp", 'R'},
                                               {"filter-udp", 'R'},
                                               {"filter-icmp", 'R'},
                                               {"filter-ipp", 'R'},
                                               {"filter-l7", 'R'},
                                               {"filter-ssid", 'R'},
                                               {"ipset", 'R'},
                                               {"ipset-exclude", 'R'},
                                               {"ipset-ip", 'R'},
                                               {"ipset-exclude-ip", 'R'},
                                               {"hostlist", 'R'},
                                               {"hostlist-exclude", 'R'},
                                               {"hostlist-domains", 'R'},
                                               {"hostlist-exclude-domains", 'R'},
                                               {"hostlist-auto", 'R'},
                                               {"hostlist-auto-fail-threshold", 'R'},
                                               {"hostlist-auto-fail-time", 'R'},
                                               {"hostlist-auto-retrans-threshold", 'R'},
                                               {"hostlist-auto-retrans-maxseq", 'R'},
                                               {"hostlist-auto-retrans-reset", 'O'},
                                               {"hostlist-auto-incoming-maxseq", 'R'},
                                               {"hostlist-auto-udp-out", 'R'},
                                               {"hostlist-auto-udp-in", 'R'},
                                               {"payload", 'R'},
                                               {"in-range", 'R'},
                                               {"out-range", 'R'},
                                               {"lua-desync", 'R'}};

TEST(Options, EverySpecifiedOptionExistsWithItsKind) {
    std::map<std::string, char> found;
    for (const OptionName& option : option_names()) {
        if (option.extension) continue;
        found[option.name] = option.arg == Arg::none       ? 'N'
                             : option.arg == Arg::optional ? 'O'
                                                           : 'R';
    }
    EXPECT_EQ(found, specified);
}

TEST(Options, NamesAreUnique) {
    std::set<std::string> names;
    for (const OptionName& option : option_names())
        EXPECT_TRUE(names.insert(option.name).second) << option.name;
}

// Launchers look for these in the help and refuse a program without them.
TEST(Options, HelpHasTheTextsThatLaunchersLookFor) {
    EXPECT_TRUE(contains(help_text(), "\n --filter-mark=mark[/mask]"));
}

TEST(Options, WriteableIsWritable) {
    const TempDir dir;
    const Parsed parsed({"--qnum=1", "--writeable=" + dir.path()});
    ASSERT_TRUE(parsed.good()) << parsed.err;
    EXPECT_TRUE(parsed.config().writable);
    EXPECT_EQ(parsed.config().writable_dir, std::filesystem::canonical(dir.path()).string());
}

TEST(Options, HelpNamesEveryOptionOnceInAHundredColumns) {
    const std::string help = help_text();
    std::istringstream lines(help);
    std::multiset<std::string> heads;
    for (std::string line; std::getline(lines, line);) {
        EXPECT_LE(line.size(), 100U) << line;
        EXPECT_FALSE(line.ends_with(' ')) << line;
        if (line.starts_with(" --")) heads.insert(line.substr(3, line.find_first_of(" =[", 3) - 3));
    }
    EXPECT_EQ(heads.size(), option_table().size());
    for (const OptionName& option : option_names())
        EXPECT_EQ(heads.count(option.name), 1U) << option.name;
    for (std::size_t g = 0; g < option_group_count; g++)
        EXPECT_TRUE(contains(help, std::string(title(static_cast<OptionGroup>(g))) + ":\n"));
}

// One option with a value that must be refused, and a part of the message.
struct Refused {
    std::string word, message;
};
void PrintTo(const Refused& r, std::ostream* out) {
    *out << r.word;
}

class RefusedValues : public testing::TestWithParam<Refused> {};

TEST_P(RefusedValues, ExitOneWithOptionPositionAndReason) {
    const Parsed parsed({"--comment", GetParam().word});
    EXPECT_EQ(parsed.code, 1);
    const std::string name = GetParam().word.substr(0, GetParam().word.find('='));
    EXPECT_TRUE(contains(parsed.err, "nfqws2: option '" + name + "' (argument 2): ")) << parsed.err;
    EXPECT_TRUE(contains(parsed.err, GetParam().message)) << parsed.err;
    EXPECT_EQ(parsed.out, "") << "no help for a bad value";
}

const Refused refused[] = {
    {"--debug=2", "invalid debug mode : 2"},
    {"--debug=", "invalid debug mode : "},
    {"--debug=android", "invalid debug mode : android"},
    {"--debug=@/no/dir/file", "bad file '/no/dir/file'"},
    {"--intercept=x", "should be 0 or 1"},
    {"--fuzz=-1", "bad packet count"},
    {"--qnum=65536", "bad qnum"},
    {"--qnum=abc", "bad qnum"},
    {"--qnum=-1", "bad qnum"},
    {"--qnum=5x", "bad qnum"},
    {"--fwmark=0", "fwmark/sockarg should be decimal or 0xHEX and should not be zero"},
    {"--chdir=/no/such/dir", "chdir: No such file or directory"},
    {"--pidfile=/no/dir/pid", "bad file '/no/dir/pid'"},
    {"--user=no-such-user-here", "non-existent username supplied"},
    {"--uid=5:", "--uid should be : uid[:gid,gid,...]"},
    {"--ctrack-timeouts=1:2", "invalid ctrack-timeouts value"},
    {"--ctrack-disable=x", "should be 0 or 1"},
    {"--ctrack-max=x", "invalid ctrack-max value"},
    {"--mem-limit=x", "mem-limit must be 0..1048576"},
    {"--mem-limit=23", "mem-limit must be 0 or at least 24 : 23"},
    {"--payload-disable=tls", "Invalid payload filter : tls"},
    {"--payload-disable=", "Invalid payload filter : "},
    {"--reasm-disable=foo,all", "Invalid l7 protocol list : foo,all"},
    {"--server=x", "should be 0 or 1"},
    {"--ipcache-lifetime=x", "invalid ipcache-lifetime value"},
    {"--ipcache-hostname=x", "should be 0 or 1"},
    {"--writable=/no/dir/writable", "bad file '/no/dir/writable'"},
    {"--sandbox=on", "invalid value : on (should be off, report, enforce or require)"},
    {"--sandbox=", "invalid value : "},
    {"--lua-allow=/no/such/place", "cannot access /no/such/place"},
    {"--lua-allow=", "cannot access "},
    {"--blob=a:0x1", "invalid hex string: "},
    {"--blob=a:/no/file", "cannot access file '/no/file'"},
    {"--blob=fake_default_tls:0x00", "duplicate blob name 'fake_default_tls'"},
    {"--lua-init=@/no/dir/f.lua", "bad file '/no/dir/f.lua'"},
    {"--lua-run=@/no/dir/f.lua", "bad file '/no/dir/f.lua'"},
    {"--lua-run=f.lua", "to run a file write --lua-run=@f.lua"},
    {"--lua-allow=conntrack,wires", "cannot access conntrack,wires (No such file or directory) "
                                    "('wires' is none of conntrack, queue, netlink)"},
    {"--lua-allow=contrack", "cannot access contrack (No such file or directory) "
                             "(did you mean 'conntrack'?)"},
    {"--lua-allow=conntrack,que", "cannot access conntrack,que (No such file or directory) "
                                  "(did you mean 'conntrack,queue'?)"},
    {"--lua-gc=-1", "lua-gc must be >=0"},
    {"--lua-call-limit=1s", "lua-call-limit must be 0..86400000 : 1s"},
    {"--lua-wait-limit=-1", "lua-wait-limit must be 0..86400000 : -1"},
    {"--lua-mem-limit=-1", "lua-mem-limit must be 0..1048576 : -1"},
    {"--hostlist-auto-debug=/no/dir/log", "bad file '/no/dir/log'"},
    {"--pcap-local=1.2.3.4/40", "bad ip or subnet : 1.2.3.4/40"},
    {"--pcap-ifname=", "interface name"},
    {"--pcap-in=", "needs the name of a capture file"},
    {"--pcap-in-mark=x", "mark should be decimal or 0xHEX : x"},
    {"--pcap-in-mark=0x100000000", "mark should be decimal or 0xHEX"},
    {"--seed=x", "invalid seed"},
    {"--check=xml", "should be json"},
    {"--import=nothing", "template 'nothing' not found"},
    {"--filter-mark=x", "filter mark or mask format error : x"},
    {"--filter-mark=1/0x", "filter mark or mask format error : 1/0x"},
    {"--filter-ssid-neg=x", "should be 0 or 1"},
    {"--ct=x", "bad value for --ct: 'x' (off, auto, queue, mark, netlink or sim)"},
    {"--ct-state-mark=0x0D000000", "--ct-state-mark: three adjacent bits are needed"},
    {"--ct-sim-helper=sip", "--ct-sim-helper: only ftp is simulated"},
    {"--ct-state=nwe", "bad value for --ct-state: 'nwe' (did you mean 'new'?)"},
    {"--filter-ctstate=x", "bad value for --filter-ctstate: 'x'"},
    {"--filter-ctstate=new,", "bad value for --filter-ctstate: 'new,'"},
    {"--filter-ctstate=~", "bad value for --filter-ctstate: '~'"},
    {"--filter-ctzone=1,,2", "bad value for --filter-ctzone: '1,,2'"},
    {"--filter-cthelper=ftp,", "bad value for --filter-cthelper: 'ftp,'"},
    {"--filter-ctstatus=~", "bad value for --filter-ctstatus: '~'"},
    {"--filter-ctmark=x", "bad value for --filter-ctmark: 'x'"},
    {"--filter-ctzone=65536", "bad value for --filter-ctzone: '65536'"},
    {"--filter-cthelper=", "bad value for --filter-cthelper: ''"},
    {"--filter-ctstatus=x", "bad value for --filter-ctstatus: 'x'"},
    {"--filter-l3=ipv5", "bad value for --filter-l3"},
    {"--filter-tcp=80-", "Invalid port filter : 80-"},
    {"--filter-tcp=65536", "Invalid port filter : 65536"},
    {"--filter-udp=~*", "Invalid port filter : ~*"},
    {"--filter-lport=x", "Invalid port filter : x"},
    {"--filter-icmp=256", "Invalid icmp filter : 256"},
    {"--filter-ipp=256", "Invalid ip protocol filter : 256"},
    {"--filter-l7=foo", "Invalid l7 filter : foo"},
    {"--ipset=/no/file", "failed to register ipset '/no/file'"},
    {"--ipset-exclude=/no/file", "cannot access ipset file '/no/file'"},
    {"--hostlist=/no/file", "failed to register hostlist '/no/file'"},
    {"--hostlist-exclude=/no/file", "cannot access hostlist file '/no/file'"},
    {"--hostlist-auto=/no/dir/file", "cannot create /no/dir/file"},
    {"--hostlist-auto-fail-threshold=0", "auto hostlist fail threshold must be within 1..20"},
    {"--hostlist-auto-fail-threshold=21", "auto hostlist fail threshold must be within 1..20"},
    {"--hostlist-auto-fail-time=0", "auto hostlist fail time is not valid"},
    {"--hostlist-auto-retrans-threshold=1", "auto hostlist fail threshold must be within 2..10"},
    {"--hostlist-auto-retrans-threshold=11", "auto hostlist fail threshold must be within 2..10"},
    {"--payload=tls", "Invalid payload filter : tls"},
    {"--in-range=n5", "invalid packet range value : n5"},
    {"--out-range=q1-", "invalid packet range value : q1-"},
    {"--lua-desync=a.b", "bad identifier 'a.b'"},
    {"--lua-desync=f::a", "invalid lua function call : f::a"},
};
INSTANTIATE_TEST_SUITE_P(Options, RefusedValues, testing::ValuesIn(refused));

TEST(Options, Defaults) {
    const Parsed parsed({"--qnum=1"});
    ASSERT_TRUE(parsed.good()) << parsed.err << parsed.finish_error;
    const Config& c = parsed.config();
    EXPECT_EQ(c.engine.desync_fwmark, 0x40000000U);
    EXPECT_TRUE(c.intercept);
    EXPECT_FALSE(c.dry_run || c.daemon || c.writable || c.bind_fix4 || c.bind_fix6 || c.offline());
    EXPECT_FALSE(c.privileges.drop);
    EXPECT_EQ(c.privileges.uid, 2147483647U);
    EXPECT_EQ(c.engine.ctrack.timeout_syn, 60U);
    EXPECT_EQ(c.engine.ctrack.timeout_established, 300U);
    EXPECT_EQ(c.engine.ctrack.timeout_fin, 60U);
    EXPECT_EQ(c.engine.ctrack.timeout_udp, 60U);
    EXPECT_EQ(c.engine.ctrack.max_tracks, 1'000'000U);
    EXPECT_EQ(c.engine.ipcache_lifetime, 7200U);
    EXPECT_EQ(c.engine.lua_gc_s, 60U);
    EXPECT_EQ(c.engine.lua_call_ms, 1000U);
    EXPECT_EQ(c.engine.lua_wait_ms, 10'000U);
    EXPECT_TRUE(c.engine.lua_memory_mb >= 16 && c.engine.lua_memory_mb <= 256);
    EXPECT_FALSE(c.engine.server || c.engine.ctrack_disable || c.engine.ipcache_hostname ||
                 c.engine.seeded || c.engine.debug || c.engine.daemon);
    EXPECT_FALSE(c.engine.payload_disable.contains(protocol::Payload::http_req));
    EXPECT_FALSE(c.engine.reasm_disable.contains(protocol::Payload::tls_client_hello));
    EXPECT_EQ(c.pcap_ifname, "pcap0");
    EXPECT_EQ(c.pcap_mark, 0U);
    EXPECT_EQ(c.user_profiles, 1U);
    EXPECT_EQ(c.templates, 0U);
}

// On 32 bits it is more than there are addresses.
TEST(Options, TheLargestLimitOfMemoryIsNotASmallOne) {
    for (const char* megabytes : {"4097", "1048576"}) {
        const Parsed parsed({"--qnum=1", std::string("--mem-limit=") + megabytes});
        ASSERT_TRUE(parsed.good()) << parsed.err << parsed.finish_error;
        EXPECT_GE(parsed.config().memory_limit >> 20, 4095U) << megabytes;
    }
}

TEST(Options, GlobalValues) {
    const TempDir dir;
    const Parsed parsed({"--qnum=65535",
                         "--bind-fix4",
                         "--bind-fix6",
                         "--fwmark=0x10",
                         "--daemon",
                         "--pidfile=" + (dir / "pid"),
                         "--uid=5:6",
                         "--ctrack-timeouts=1:2:3:4",
                         "--ctrack-disable",
                         "--ctrack-max=10",
                         "--mem-limit=24",
                         "--payload-disable=http_req",
                         "--reasm-disable",
                         "--server",
                         "--ipcache-lifetime=0",
                         "--ipcache-hostname=1",
                         "--writable=" + dir.path(),
                         "--blob=a:0x01",
                         "--lua-init=x=1",
                         "--lua-init=y=2",
                         "--lua-gc=0",
                         "--lua-call-limit=0",
                         "--lua-wait-limit=7",
                         "--lua-mem-limit=64",
                         "--hostlist-auto-debug=" + (dir / "log")});
    ASSERT_TRUE(parsed.good()) << parsed.err << parsed.finish_error;
    const Config& c = parsed.config();
    const std::string real = std::filesystem::canonical(dir.path()).string();
    EXPECT_EQ(c.qnum, 65535);
    EXPECT_EQ(c.engine.qnum, 65535U);
    EXPECT_TRUE(c.bind_fix4 && c.bind_fix6 && c.daemon && c.engine.daemon);
    EXPECT_EQ(c.engine.desync_fwmark, 0x10U);
    EXPECT_EQ(c.pidfile, real + "/pid");
    EXPECT_EQ(c.privileges.uid, 5U);
    EXPECT_EQ(c.engine.ctrack.timeout_udp, 4U);
    EXPECT_EQ(c.engine.ctrack.max_tracks, 10U);
    EXPECT_TRUE(c.engine.ctrack_disable && c.engine.server && c.engine.ipcache_hostname);
    EXPECT_TRUE(c.engine.payload_disable.contains(protocol::Payload::http_req));
    EXPECT_FALSE(c.engine.payload_disable.contains(protocol::Payload::tls_client_hello));
    EXPECT_TRUE(c.engine.reasm_disable.contains(protocol::Payload::quic_initial));
    EXPECT_EQ(c.engine.ipcache_lifetime, 0U);
    EXPECT_TRUE(c.writable);
    EXPECT_EQ(c.writable_dir, real);
    ASSERT_EQ(c.engine.blobs.size(), 1U);
    ASSERT_EQ(c.engine.lua_init.size(), 2U);
    EXPECT_EQ(c.engine.lua_init[1].text, "y=2");
    EXPECT_EQ(c.engine.lua_gc_s, 0U);
    EXPECT_EQ(c.engine.lua_call_ms, 0U);
    EXPECT_EQ(c.engine.lua_wait_ms, 7U);
    EXPECT_EQ(c.engine.lua_memory_mb, 64U);
    EXPECT_EQ(c.auto_debug.path, real + "/log");
    EXPECT_TRUE(std::filesystem::exists(dir / "log")) << "created at once";
}

TEST(Options, OfflineValues) {
    const TempDir dir;
    const Parsed parsed({"--pcap-in=-", "--pcap-out", dir / "out.pcap", "--pcap-local=10.0.0.0/8",
                         "--pcap-ifname=eth9", "--pcap-in-mark=0x10",
                         "--seed=18446744073709551615"});
    ASSERT_TRUE(parsed.good()) << parsed.err << parsed.finish_error;
    const Config& c = parsed.config();
    EXPECT_TRUE(c.offline());
    EXPECT_EQ(c.pcap_in, "-");
    EXPECT_TRUE(c.pcap_out.ends_with("/out.pcap"));
    EXPECT_EQ(c.pcap_mark, 0x10U);
    ASSERT_EQ(c.pcap_local.size(), 1U);
    EXPECT_EQ(c.pcap_ifname, "eth9");
    EXPECT_TRUE(c.engine.seeded);
    EXPECT_EQ(c.engine.seed, UINT64_MAX);
}

TEST(Options, LaterOnesWin) {
    const Parsed parsed({"--qnum=1", "--qnum=2", "--server", "--server=0", "--payload-disable",
                         "--payload-disable=http_req"});
    ASSERT_TRUE(parsed.good());
    EXPECT_EQ(parsed.config().qnum, 2);
    EXPECT_FALSE(parsed.config().engine.server);
    EXPECT_FALSE(parsed.config().engine.payload_disable.contains(protocol::Payload::stun));
}

TEST(Options, PayloadDisableAllAndKnown) {
    for (const char* value : {"--payload-disable", "--payload-disable=all",
                              "--payload-disable=http_req,all", "--payload-disable=known"})
        EXPECT_TRUE(Parsed({"--qnum=1", value})
                        .config()
                        .engine.payload_disable.contains(protocol::Payload::tls_client_hello))
            << value;
}

TEST(Options, DebugTargets) {
    const TempDir dir;
    {
        const Parsed parsed({"--debug"});
        EXPECT_EQ(log::target(), log::Target::console);
        EXPECT_TRUE(parsed.config().engine.debug);
    }
    {
        const Parsed parsed({"--debug=1x", "--debug=0"});
        EXPECT_EQ(log::target(), log::Target::none);
        EXPECT_FALSE(parsed.config().engine.debug);
    }
    {
        const Parsed parsed({"--debug=syslog"});
        EXPECT_EQ(log::target(), log::Target::syslog);
    }
    const Parsed parsed({"--debug=@" + dir.file("log", "old text")});
    EXPECT_EQ(log::target(), log::Target::file);
    EXPECT_EQ(std::filesystem::file_size(dir / "log"), 0U) << "truncated at once";
}

TEST(Options, ChdirAffectsOptionsToItsRight) {
    const TempDir dir;
    const auto old = std::filesystem::current_path();
    const Parsed parsed(
        {"--lua-init=@left.lua", "--chdir=" + dir.path(), "--lua-init=@right.lua", "--qnum=1"});
    std::filesystem::current_path(old);
    ASSERT_TRUE(parsed.good()) << parsed.err;
    const std::string real = std::filesystem::canonical(dir.path()).string();
    EXPECT_EQ(parsed.config().engine.lua_init[0].text, old.string() + "/left.lua");
    EXPECT_EQ(parsed.config().engine.lua_init[1].text, real + "/right.lua");
}

TEST(Options, ChdirWithoutValueUsesExedir) {
    const TempDir dir;
    const auto old = std::filesystem::current_path();
    setenv("EXEDIR", dir.path().c_str(), 1);
    EXPECT_TRUE(Parsed({"--chdir", "--qnum=1"}).good());
    EXPECT_EQ(std::filesystem::current_path(), std::filesystem::canonical(dir.path()));
    std::filesystem::current_path(old);
    unsetenv("EXEDIR");
    const Parsed parsed({"--chdir"});
    EXPECT_EQ(parsed.code, 1);
    EXPECT_TRUE(contains(parsed.err, "chdir: directory unknown"));
}

TEST(Options, FuzzImpliesNoIntercept) {
    const Parsed parsed({"--fuzz=100"});
    ASSERT_TRUE(parsed.good());
    EXPECT_EQ(parsed.config().fuzz_packets, 100U);
    EXPECT_FALSE(parsed.config().intercept);
}

} // namespace
} // namespace nfqws2::app
