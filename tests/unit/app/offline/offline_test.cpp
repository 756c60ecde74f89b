#include "../child_run.hpp"

#include "app/version.hpp"
#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/random.hpp"
#include "nfqws2/capture/network_info.hpp"
#include "nfqws2/capture/pcap_sink.hpp"

#include <algorithm>

#if NFQWS2_HAVE_PCAP

namespace nfqws2::app {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t start = 1'700'000'000 * second;

// A UDP datagram with valid lengths; checksums do not matter here.
std::vector<std::uint8_t> datagram(const char* from, const char* to, std::uint16_t port) {
    std::vector<std::uint8_t> p(32, 'x');
    p[0] = 0x45;
    p[1] = 0;
    store_be16(&p[2], 32);
    store_be16(&p[4], 7);
    store_be16(&p[6], 0);
    p[8] = 64;
    p[9] = 17;
    store_be16(&p[10], 0);
    std::ranges::copy(IpAddress::parse(from)->bytes(), p.begin() + 12);
    std::ranges::copy(IpAddress::parse(to)->bytes(), p.begin() + 16);
    store_be16(&p[20], port);
    store_be16(&p[22], 443);
    store_be16(&p[24], 12);
    store_be16(&p[26], 0);
    return p;
}

class Offline : public testing::Test {
  protected:
    // A capture of datagrams at these times (ns after `start`), ports 1001, 1002, ...
    std::string capture(const std::vector<std::int64_t>& times) {
        VirtualClock clock(start);
        const auto random = make_seeded_random(1);
        capture::OfflineNetworkInfo network("x", {});
        capture::PcapSink sink(clock, *random, network);
        EXPECT_TRUE(sink.open(dir_ / "in.pcap"));
        std::uint16_t port = 1001;
        for (const auto t : times) {
            clock.advance_to(start + t);
            sink.accepted(datagram("192.0.2.10", "198.51.100.20", port++));
        }
        EXPECT_TRUE(sink.finish());
        return dir_ / "in.pcap";
    }
    ChildResult run(const std::string& input, std::vector<std::string> words) {
        words.insert(words.begin(), "--pcap-in=" + input);
        return run_nfqws2(dir_, as_owner(std::move(words)));
    }
    // What scripts printed: everything after the lines about the Lua engine.
    static std::string printed(const ChildResult& result) {
        const auto at = result.out.find("SCRIPT\n");
        return at == std::string::npos ? "(nothing)" : result.out.substr(at + 7);
    }
    TempDir dir_;
};

TEST_F(Offline, PacketsPassUnchangedWithSummary) {
    const std::string in = capture({0, second, 2 * second});
    const auto result = run(in, {"--pcap-out=" + (dir_ / "out.pcap")});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_TRUE(contains(result.err,
                         "packets read 3, skipped 0, accepted 3, modified 0, dropped 0, "
                         "generated 0, held at the end 0, flows 3, Lua errors 0, "));
    EXPECT_TRUE(contains(result.err, " packets/s\n"));
    EXPECT_EQ(read_text(in), read_text(dir_ / "out.pcap"));
    EXPECT_FALSE(contains(result.out, "raw sockets"));
}

TEST_F(Offline, StandardOutputHoldsPacketsOnly) {
    const std::string in = capture({0, second});
    const auto result = run(in, {"--pcap-out=-", "--lua-init=print('from Lua')"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out, read_text(in));
    EXPECT_TRUE(result.err.starts_with(version_text()));
    EXPECT_TRUE(contains(result.err, "from Lua\n"));
}

TEST_F(Offline, StandardOutputFromAConfigFile) {
    const std::string in = capture({0});
    const std::string uid = is_root() ? "--uid=0:0 " : "";
    const auto result =
        run_nfqws2(dir_, {"@" + dir_.file("conf", uid + "--pcap-in=" + in + " --pcap-out -\n")});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(result.out, read_text(in));
}

TEST_F(Offline, ClockStandsAtTheStamps) {
    const std::string in = capture({second / 2, 3 * second});
    const auto result = run(in, {"--lua-init=print('SCRIPT') print(os.time(), clock_gettime()) "
                                 "function f() print(clock_gettime()) end",
                                 "--lua-desync=f"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(printed(result), "1700000000\t1700000000\t500000000\n"
                               "1700000000\t500000000\n"
                               "1700000003\t0\n");
}

TEST_F(Offline, DueTimersFireBeforeThePacketInOrder) {
    const std::string in = capture({0, second, 3 * second});
    const auto result =
        run(in, {"--lua-init=print('SCRIPT') local function t(n) print(n, clock_gettime()) end "
                 "timer_set('b', t, 2500, true) timer_set('a', t, 1000, true) "
                 "function f() print('packet', clock_gettime()) end",
                 "--lua-desync=f"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(printed(result), "packet\t1700000000\t0\n"
                               "a\t1700000001\t0\n"
                               "packet\t1700000001\t0\n"
                               "b\t1700000002\t500000000\n"
                               "packet\t1700000003\t0\n");
}

TEST_F(Offline, PendingOneShotsFireAfterTheLastPacketWithinAMinute) {
    const std::string in = capture({0});
    const auto result =
        run(in, {"--lua-init=print('SCRIPT') local function t(n) print(n, clock_gettime()) end "
                 "timer_set('late', t, 60001, true) timer_set('last', t, 60000, true) "
                 "timer_set('soon', t, 1500, true)"});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(printed(result), "soon\t1700000001\t500000000\n"
                               "last\t1700000060\t0\n");
}

TEST_F(Offline, ExitCodes) {
    const std::string in = capture({0, second});
    EXPECT_EQ(run(in, {"--nothing"}).code, 1);
    EXPECT_EQ(run(in, {"--lua-init=error('x')"}).code, 1);
    const auto missing = run(dir_ / "missing.pcap", {});
    EXPECT_EQ(missing.code, 2);
    EXPECT_TRUE(contains(missing.err, "missing.pcap")) << missing.err;
    EXPECT_EQ(run(dir_.file("junk", "this is no capture"), {}).code, 2);
    const auto unwritable = run(in, {"--pcap-out=/no/dir/out.pcap"});
    EXPECT_EQ(unwritable.code, 2);
    EXPECT_TRUE(contains(unwritable.err, "/no/dir/out.pcap")) << unwritable.err;
    const auto failing = run(in, {"--lua-init=function f() error('x') end", "--lua-desync=f"});
    EXPECT_EQ(failing.code, 3);
    EXPECT_TRUE(contains(failing.err, "accepted 2,"));
    EXPECT_TRUE(contains(failing.err, "Lua errors 2,"));
}

TEST_F(Offline, TruncatedCaptureIsProcessedAsFarAsItGoes) {
    const std::string whole = read_text(capture({0, second}));
    const auto result = run(dir_.file("cut.pcap", whole.substr(0, whole.size() - 5)),
                            {"--pcap-out=" + (dir_ / "out.pcap")});
    EXPECT_EQ(result.code, 2);
    EXPECT_TRUE(contains(result.err, "packets read 1,")) << result.err;
    EXPECT_TRUE(contains(result.err, "cut.pcap")) << result.err;
    EXPECT_EQ(read_text(dir_ / "out.pcap"), whole.substr(0, (whole.size() - 24) / 2 + 24));
}

TEST_F(Offline, DirectionFollowsLocalAddresses) {
    const std::string in = capture({0});
    const std::string show =
        "--lua-init=print('SCRIPT') function f(c, d) print(d.ifin, d.ifout) end";
    const std::vector<std::string> words{show, "--in-range=a", "--lua-desync=f"};
    EXPECT_EQ(printed(run(in, words)), "nil\tpcap0\n");
    auto ours = words;
    ours.insert(ours.end(), {"--pcap-local=192.0.2.0/24", "--pcap-ifname=eth9"});
    EXPECT_EQ(printed(run(in, ours)), "nil\teth9\n");
    auto theirs = words;
    theirs.push_back("--pcap-local=198.51.100.20");
    EXPECT_EQ(printed(run(in, theirs)), "pcap0\tnil\n");
}

TEST_F(Offline, SeedMakesRunsEqual) {
    const std::string in = capture({0});
    const auto numbers = [&](const std::string& seed) {
        return printed(
            run(in, {"--seed=" + seed, "--lua-init=print('SCRIPT') "
                                       "math.randomseed(os.time()) print(math.random(1e9)) "
                                       "print(brandom(16):byte(1, 16)) "
                                       "print(bcryptorandom(16):byte(1, 16))"}));
    };
    const std::string first = numbers("5");
    EXPECT_NE(first, "(nothing)");
    EXPECT_EQ(first, numbers("5"));
    EXPECT_NE(first, numbers("6"));
}

TEST_F(Offline, LiveOptionsAreIgnoredWithANotice) {
    const std::string in = capture({0});
    const auto result = run(in, {"--qnum=5", "--daemon", "--pidfile=" + (dir_ / "pid")});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_TRUE(contains(result.out, "--qnum is ignored"));
    EXPECT_TRUE(contains(result.out, "--daemon and --pidfile are ignored"));
    EXPECT_FALSE(std::filesystem::exists(dir_ / "pid"));
}

TEST_F(Offline, NoCapabilityIsKept) {
    const auto result =
        run(capture({0}), {"--lua-init=print('SCRIPT') for l in io.lines('/proc/self/status') do "
                           "if l:find('^CapEff') or l:find('^Seccomp:') then print(l) end end"});
    EXPECT_EQ(printed(result), "CapEff:\t0000000000000000\nSeccomp:\t2\n");
}

TEST_F(Offline, EmptyCapture) {
    const auto result = run(capture({}), {"--pcap-out=" + (dir_ / "out.pcap")});
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_TRUE(contains(result.err, "packets read 0,"));
    EXPECT_EQ(read_text(dir_ / "out.pcap").size(), 24U);
}

} // namespace
} // namespace nfqws2::app

#endif
