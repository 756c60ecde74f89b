// --check, --explain and --trace as a user sees them: the whole program.
#include "../places.hpp"
#include "child_run.hpp"

#include <nlohmann/json.hpp>

#include <bit>
#include <cstddef>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

namespace nfqws2::app {
namespace {

using Json = nlohmann::json;

class Diagnosis : public testing::Test {
  protected:
    ChildResult run(std::vector<std::string> words) {
        return run_nfqws2(dir_, as_owner(std::move(words)));
    }
    static std::vector<std::string> with_libraries(std::vector<std::string> words) {
        const std::string lua = nfqws2::test::in_source("lua/zapret-");
        for (const char* name : {"pcap", "obfs", "auto", "antidpi", "lib"})
            words.insert(words.begin(), "--lua-init=@" + lua + name + ".lua");
        return words;
    }
    TempDir dir_;
};

TEST_F(Diagnosis, CheckOfACorrectCommandLine) {
    const auto result =
        run(with_libraries({"--check", "--qnum=5", "--filter-tcp=443", "--payload=tls_client_hello",
                            "--lua-desync=fake:blob=fake_default_tls:ip_ttl=3",
                            "--lua-desync=multisplit:pos=midsld"}));
    EXPECT_EQ(result.code, 0) << result.err << result.out;
    EXPECT_EQ(result.out, "check: 0 errors, 0 warnings, 0 notices\n") << "the answer alone";
    const auto debug = run(with_libraries({"--check", "--debug=1", "--qnum=5"}));
    EXPECT_TRUE(contains(debug.out, "LUA v")) << "Lua runs";
}

TEST_F(Diagnosis, LibrariesRunBesideAForeignZapretLib) {
    for (const char* name : {"antidpi", "auto", "obfs"}) {
        const std::string lua = "--lua-init=@" + nfqws2::test::in_source("lua/zapret-");
        const auto result =
            run({"--check", "--qnum=5", lua + "lib.lua", "--lua-init=dlog_format = nil",
                 lua + name + ".lua", "--lua-init=dlog_format('%s', 1)"});
        EXPECT_EQ(result.code, 0) << name << result.out << result.err;
    }
}

TEST_F(Diagnosis, CheckFindsAMissingFunction) {
    const auto result = run(with_libraries({"--check", "--qnum=5", "--lua-desync=multispilt"}));
    EXPECT_EQ(result.code, 1);
    EXPECT_TRUE(contains(result.out, "(did you mean 'multisplit'?)")) << result.out;
    EXPECT_TRUE(contains(result.out, is_root() ? "(argument 9)" : "(argument 8)")) << result.out;
}

TEST_F(Diagnosis, CheckBesideAConfigFile) {
    const std::string uid = is_root() ? "--uid=0:0\n" : "\n";
    const std::string conf = dir_.file("conf", uid + "--qnum=5\n# --lua-desync=nothing\n");
    const auto result = run_nfqws2(dir_, {"@" + conf, "--check", "--server"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out,
              "warning: " + conf +
                  ":3: a line that begins with '#' and a blank is a comment, the options in it "
                  "have no effect\nwarning: '--server' (argument 3) stands beside the file " +
                  conf +
                  " and has no effect, write it into the file\n"
                  "check: 0 errors, 2 warnings, 0 notices\n");
}

TEST_F(Diagnosis, CheckCountsEntriesThatNeverMatch) {
    const std::string hosts = dir_.file("hosts", "a.com\n*.b.com\nc.com,\n"),
                      nets = dir_.file("nets", "10.0.0.1\n10.0.0.2-10.0.0.3\n");
    const auto result = run({"--check", "--qnum=5", "--hostlist=" + hosts, "--ipset=" + nets,
                             "--hostlist-domains=d.com:80"});
    EXPECT_TRUE(result.out.ends_with("check: 0 errors, 4 warnings, 0 notices\n")) << result.out;
    EXPECT_TRUE(contains(result.out, "): host list entry never matches : c.com, (" + hosts +
                                         " line 3): it has a comma, write one name in a line\n"))
        << result.out;
    EXPECT_TRUE(contains(result.out, "bad ip or subnet : 10.0.0.2-10.0.0.3 (" + nets + " line 2)"));
    EXPECT_TRUE(contains(result.out, "): never matches : d.com:80: write the host name alone, "
                                     "without a port\n"));
    EXPECT_EQ(result.err, "") << "each is said once, in the report";
    const auto started = run({"--hostlist=" + hosts, "--hostlist-domains=d.com:80",
                              "--lua-init=os.exit(0)", "--intercept=0"});
    EXPECT_TRUE(contains(started.err, "never matches : *.b.com (")) << started.err;
    EXPECT_TRUE(contains(started.err, "): never matches : d.com:80: ")) << started.err;
    const auto failed = run({"--check", "--hostlist-domains=d.com:80", "--qnum=x"});
    EXPECT_TRUE(contains(failed.err, "): never matches : d.com:80: ")) << failed.err;
}

TEST_F(Diagnosis, CheckNamesTheLineOfAConfigFile) {
    const std::string uid = is_root() ? "--uid=0:0\n" : "\n";
    const auto result = run_nfqws2(
        dir_, {"@" + dir_.file("conf", uid + "--check --qnum=5\n\n--lua-desync=nothing\n")});
    EXPECT_EQ(result.code, 1);
    EXPECT_TRUE(contains(result.out, "error: option '--lua-desync' (" + (dir_ / "conf") +
                                         ":4): desync function 'nothing' does not exist"))
        << result.out;
}

TEST_F(Diagnosis, CheckOfAScriptThatFails) {
    const auto result =
        run({"--check", "--qnum=5", "--lua-init=x=1", "--lua-init=error('no luck')"});
    EXPECT_EQ(result.code, 1);
    EXPECT_TRUE(contains(result.out, "error: option '--lua-init' (argument ")) << result.out;
    EXPECT_TRUE(contains(result.out, "no luck")) << result.out;
    EXPECT_TRUE(contains(result.out, is_root() ? "(argument 5)" : "(argument 4)")) << result.out;
}

TEST_F(Diagnosis, CheckRunsLuaInTheSandbox) {
    const auto result = run({"--check", "--qnum=5",
                             "--lua-init=for l in io.lines('/proc/self/status') do if "
                             "l:find('^Seccomp:') then print(l) "
                             "end end"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_TRUE(contains(result.out, "Seccomp:\t2\n")) << result.out;
}

TEST_F(Diagnosis, CheckSendsNothingAndBindsNoQueue) {
    const auto result = run(
        {"--check", "--qnum=5",
         "--lua-init=print('sent', rawsend('\\69' .. ('\\0'):rep(19))) print(NFQWS2_VER ~= nil)"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_TRUE(contains(result.out, "sent\ttrue\ntrue\n")) << result.out;
    EXPECT_FALSE(contains(result.out, "queue")) << result.out;
}

TEST_F(Diagnosis, CheckAsJson) {
    const auto good = run({"--check=json", "--qnum=5", "--lua-init=print('noise')"});
    EXPECT_EQ(good.code, 0) << good.err;
    EXPECT_EQ(Json::parse(good.out),
              (Json{{"errors", 0}, {"warnings", 0}, {"notices", 0}, {"findings", Json::array()}}));
    EXPECT_TRUE(contains(good.err, "noise\n")) << "everything else is on standard error";
    const auto bad = run({"--check=json", "--qnum=5", "--lua-desync=nothing"});
    EXPECT_EQ(bad.code, 1);
    const Json report = Json::parse(bad.out);
    EXPECT_EQ(report["errors"], 1);
    EXPECT_EQ(report["findings"][0]["option"], "lua-desync");
}

TEST_F(Diagnosis, CheckAsJsonOfWhatDoesNotEvenStart) {
    const struct {
        std::vector<std::string> words;
        const char *option, *text;
    } table[] = {
        {{"--qnum=x", "--check=json"}, "qnum", "bad qnum"},
        {{"--check=json", "--qnum=1", "--nothing"}, nullptr, "unrecognized option '--nothing'"},
        {{"--nothing", "--chec=json"}, nullptr, "unrecognized option"},
        {{"--check=json"}, nullptr, "Need queue number"},
        {{"--check=json", "--qnum=1", "--lua-init=@/no.lua"}, nullptr, "not accessible"},
        {{"--check=json", "--qnum=1", "--hostlist=/no/list"}, "hostlist", "cannot access"},
        {{"--check=json", "--qnum=1", "--import=x"}, "import", "template 'x' not found"},
    };
    for (const auto& row : table) {
        const auto result = run(row.words);
        EXPECT_EQ(result.code, 1) << row.text;
        const Json report = Json::parse(result.out, nullptr, false);
        ASSERT_FALSE(report.is_discarded()) << result.out;
        ASSERT_EQ(report["findings"].size(), 1U) << result.out;
        const Json& finding = report["findings"][0];
        EXPECT_EQ(finding["option"], row.option != nullptr ? Json(row.option) : Json());
        EXPECT_TRUE(contains(finding["text"], row.text)) << finding["text"];
        const std::string place = finding["where"].is_string() ? finding["where"] : Json("(none)");
        EXPECT_FALSE(contains(finding["text"], place)) << "the place is told twice";
    }
}

TEST_F(Diagnosis, CheckTestsFilesAsTheNewUser) {
    if (!is_root()) GTEST_SKIP() << "only root can become another user";
    const auto result =
        run_nfqws2(dir_, {"--check", "--qnum=5", "--lua-init=@" + dir_.file("x.lua", "")});
    EXPECT_EQ(result.code, 1);
    EXPECT_TRUE(contains(result.err, "LUA file '")) << result.err;
}

// tests/docs/check.py compares all that is known with the libraries; these are values of users.
TEST_F(Diagnosis, CheckTakesArgumentsOfAllLibraries) {
    const auto result = run(with_libraries(
        {"--check",
         "--qnum=5",
         "--in-range=a",
         "--lua-desync=fake:dir=any:payload=all:ip_ttl=1:ip6_ttl=1:ip_autottl=-1,3-20:ip6_autottl=-"
         "1,3-20:ip6_hopbyhop:ip6_hopbyhop2:ip6_destopt:ip6_destopt2:ip6_routing:ip6_ah:tcp_seq=1:"
         "tcp_ack=1:tcp_ts=1:tcp_md5:tcp_flags_set=SYN:tcp_flags_unset=ACK:tcp_ts_up:tcp_nop_del:"
         "ip_"
         "id=rnd:ip_id_conn:badsum:repeats=2:ifout=x:fwmark=1:ipfrag:ipfrag_disorder:ipfrag_pos_"
         "tcp="
         "8:ipfrag_pos_udp=8:ipfrag_pos_icmp=8:ipfrag_pos=8:ipfrag_next=60:blob=fake_default_tls:"
         "optional:tls_mod=rnd",
         "--lua-desync=send:delay=10",
         "--lua-desync=rst:rstack",
         "--lua-desync=pktmod:ip_ttl=1",
         "--lua-desync=http_hostcase:spell=hoSt",
         "--lua-desync=synack_split:mode=syn",
         "--lua-desync=wsize:wsize=1:scale=6",
         "--lua-desync=wssize:wsize=1:forced_cutoff=http_req",
         "--lua-desync=syndata:blob=0x1603:tls_mod=rnd",
         "--lua-desync=multisplit:pos=1:seqovl=1:seqovl_pattern=0x00:blob=0x01:optional:nodrop",
         "--lua-desync=multidisorder_legacy:pos=1:seqovl=host:seqovl_pattern=0x00:optional",
         "--lua-desync=tcpseg:pos=0,-1:seqovl=1:seqovl_pattern=0x00:blob=0x01:optional",
         "--lua-desync=fakeddisorder:pos=1:pattern=0x00:seqovl=1:seqovl_pattern=0x00:nofake1:"
         "nofake2:nofake3:nofake4:blob=0x01:optional:nodrop",
         "--lua-desync=hostfakesplit:host=a.com:midhost=midsld:disorder_after:nofake1:nofake2:blob="
         "0x01:optional:nodrop",
         "--lua-desync=oob:char=x:byte=1:urp=b",
         "--lua-desync=udplen:min=1:max=2:increment=3:pattern=0x00:pattern_offset=1",
         "--lua-desync=dht_dn:dn=4",
         "--lua-desync=tls_client_hello_clone:blob=c:fallback=0x00:sni_del_ext:sni_del:sni_snt=1:"
         "sni_snt_new=1:sni_first=a:sni_last=b",
         "--lua-desync=detect_payload_str:pattern=x:payload=y:undetected=z",
         "--lua-desync=luaexec:code=x=1",
         "--lua-desync=circular:key=k:nld=2:reqhost:fails=1:time=2:inseq=1:maxseq=1:retrans=1:udp_"
         "in=1:udp_out=1:no_rst:no_http_redirect:reset",
         "--lua-desync=condition:iff=cond_payload_str:pattern=x:neg:instances=1",
         "--lua-desync=per_instance_condition:instances=1",
         "--lua-desync=stopif:iff=cond_random:percent=5:neg",
         "--lua-desync=repeater:repeats=2:instances=1:iff=cond_lua:cond_code=return true:neg:stop:"
         "clear",
         "--lua-desync=pass:strategy=1:final:cond=cond_true:cond_neg",
         "--lua-desync=wgobfs:secret=s:padmin=1:padmax=2",
         "--lua-desync=ippxor:ippxor=1:dataxor=0x01:rebuild",
         "--lua-desync=udp2icmp:ctype=1:ccode=1:stype=1:scode=1:dataxor=0x01:server=1",
         "--lua-desync=synhide:synack:ghost=1:ghost6=1:magic=x2:x2=1:kind=172:opt=00:xorseq="
         "00000000",
         "--lua-desync=pcap:file=x:keep"}));
    EXPECT_EQ(result.code, 0) << result.out;
    EXPECT_TRUE(result.out.ends_with("check: 0 errors, 0 warnings, 0 notices\n")) << result.out;
}

TEST_F(Diagnosis, ExplainNeedsNeitherQueueNorLua) {
    const auto result = run({"--explain=tcp:1.2.3.4:443,host=a.com", "--explain=udp:1.2.3.4:53",
                             "--hostlist=" + dir_.file("l", "a.com\n"), "--lua-desync=nothing"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_TRUE(result.out.starts_with("tcp:1.2.3.4:443,host=a.com\n")) << result.out;
    EXPECT_TRUE(contains(result.out, "  profile 1 (noname): wins\n")) << result.out;
    EXPECT_TRUE(contains(result.out, "\nudp:1.2.3.4:53\n  profile 1 (noname): refused by"))
        << result.out;
    EXPECT_FALSE(contains(result.out, "LUA")) << result.out;
}

TEST_F(Diagnosis, ExplainAsJson) {
    const auto result =
        run({"--explain-json", "--explain=tcp:1.2.3.4:443", "--explain=icmp:1.2.3.4"});
    EXPECT_EQ(result.code, 0) << result.err;
    const Json answers = Json::parse(result.out);
    ASSERT_EQ(answers.size(), 2U);
    EXPECT_EQ(answers[0]["query"], "tcp:1.2.3.4:443");
    EXPECT_EQ(answers[1]["searches"][0]["winner"], 1);
}

TEST_F(Diagnosis, ExplainRefusesABadQuestion) {
    const auto result = run({"--explain=tcp:1.2.3.4"});
    EXPECT_EQ(result.code, 1);
    EXPECT_TRUE(contains(result.err, "option '--explain' (argument ")) << result.err;
}

#if NFQWS2_HAVE_PCAP

const std::string golden = nfqws2::test::in_data("golden/107-multidisorder-replay");

class TraceRun : public Diagnosis {
  protected:
    static std::vector<std::string> replay(std::vector<std::string> words) {
        words.insert(words.end(), {"--pcap-in=" + golden + "/in.pcap", "--pcap-local=192.0.2.10",
                                   "--payload=tls_client_hello", "--lua-desync=f",
                                   "--lua-init=function f(c, d) rawsend_dissect(d.dis) end"});
        return words;
    }
    static std::vector<Json> lines(const std::string& text) {
        std::vector<Json> all;
        std::istringstream stream(text);
        for (std::string line; std::getline(stream, line);)
            all.push_back(Json::parse(line));
        return all;
    }
};

TEST_F(TraceRun, FileHasALineForEveryPacketAndPiece) {
    const std::string path = dir_.file("trace", "old");
    const auto result = run(replay({"--trace=" + path}));
    EXPECT_EQ(result.code, 0) << result.err;
    const auto trace = lines(read_text(path));
    ASSERT_GE(trace.size(), 7U);
    EXPECT_EQ(trace[3]["held"], true);
    EXPECT_EQ(trace[5]["replay"], (Json{{"piece", 1}, {"of", 2}}));
    EXPECT_EQ(trace[5]["out"].size(), 2U);
    EXPECT_EQ(trace[5]["host"], "www.example.com");
}

TEST_F(TraceRun, StandardOutputHoldsTheTraceOnly) {
    for (const char* option : {"--trace=-", "--trac=-"}) {
        const auto result = run(replay({option, "--lua-init=print('noise')"}));
        EXPECT_EQ(result.code, 0) << result.err;
        EXPECT_GE(lines(result.out).size(), 7U);
        EXPECT_TRUE(contains(result.err, "noise\n"));
    }
}

TEST_F(TraceRun, TheOutputIsTheSame) {
    run(replay({"--seed=1", "--pcap-out=" + (dir_ / "plain")}));
    run(replay({"--seed=1", "--pcap-out=" + (dir_ / "traced"), "--trace=" + (dir_ / "trace")}));
    EXPECT_GT(read_text(dir_ / "plain").size(), 1000U);
    EXPECT_EQ(read_text(dir_ / "plain"), read_text(dir_ / "traced"));
}

TEST_F(TraceRun, SeededTracesAreReproducible) {
    for (const char* name : {"a", "b"})
        run(replay({"--seed=1", "--trace=" + (dir_ / name)}));
    EXPECT_GT(read_text(dir_ / "a").size(), 1000U);
    EXPECT_EQ(read_text(dir_ / "a"), read_text(dir_ / "b"));
}

TEST_F(TraceRun, FileIsOpenedBeforeThePrivilegesAreDropped) {
    if (!is_root()) GTEST_SKIP() << "only root can become another user";
    const auto result = run_nfqws2(dir_, replay({"--trace=" + (dir_ / "trace")})); // mode 0700
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_GE(lines(read_text(dir_ / "trace")).size(), 7U);
}

TEST_F(TraceRun, Failures) {
    const auto unwritable = run(replay({"--trace=" + dir_.path()}));
    EXPECT_EQ(unwritable.code, 1);
    EXPECT_TRUE(contains(unwritable.err, "cannot create trace")) << unwritable.err;
    const auto full = run(replay({"--trace=/dev/full"}));
    EXPECT_EQ(full.code, 2) << "the packets do not suffer, the trace is not whole";
    EXPECT_TRUE(contains(full.err, "cannot write trace '/dev/full': No space left on device\n"));
    EXPECT_EQ(run(replay({"--trace="})).code, 1);
    EXPECT_EQ(run(replay({"--trace=-", "--pcap-out=-"})).code, 1);
}

TEST_F(TraceRun, PacketsOfFuzzRuns) {
    if (!is_root()) GTEST_SKIP() << "needs raw sockets";
    const auto result = run({"--fuzz=500", "--trace=" + (dir_ / "trace"), "--in-range=a",
                             "--lua-desync=f", "--lua-init=function f() end"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_GE(lines(read_text(dir_ / "trace")).size(), 500U);
}

#endif

// As on a kernel without it, whatever this one has. For the rest of the process.
void take_generic_netlink_away() {
    constexpr auto low_half = std::endian::native == std::endian::little ? 0U : 4U;
    constexpr auto protocol =
        static_cast<std::uint32_t>(offsetof(seccomp_data, args) + 2 * sizeof(std::uint64_t));
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, protocol + low_half),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NETLINK_GENERIC, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPROTONOSUPPORT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{std::size(code), code};
    prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0L, 0L);
}

TEST_F(Diagnosis, MissingWifiEndsTheStart) {
    if (!is_root()) GTEST_SKIP() << "needs a queue";
    const auto result = in_child(dir_, [] {
        take_generic_netlink_away();
        const char* const argv[] = {"./nfqws2", "--uid=0:0", "--qnum=64999", "--filter-ssid=home"};
        return run_program(static_cast<int>(std::size(argv)), argv);
    });
    EXPECT_EQ(result.code, 1);
    EXPECT_TRUE(contains(result.err, "cannot initialize wlan info capture\n")) << result.err;
    EXPECT_TRUE(contains(result.err, "generic netlink: Protocol not supported\n")) << result.err;
}

} // namespace
} // namespace nfqws2::app
