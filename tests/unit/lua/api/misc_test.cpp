// Logging, time, zlib streams, payload functions and constants where the vectors do not go.
#include "../../places.hpp"
#include "../fixture.hpp"

#include "nfqws2/base/log.hpp"

namespace nfqws2::lua {
namespace {

TEST_F(ApiTest, TimeFollowsTheInjectedClock) {
    EXPECT_EQ(run("local s, ns = clock_gettime() assert(s == 1700000000 and ns == 123456789) "
                  "assert(math.abs(clock_getfloattime() - 1700000000.123456) < 1e-5)"),
              "");
}

TEST_F(ApiTest, TimeTables) {
    EXPECT_EQ(eval("gmtime(1e18)"), "nil");
    EXPECT_EQ(eval("gmtime(1700000000).str"), "14.11.2023 22:13:20");
    EXPECT_EQ(eval("timegm { sec = 58, min = 59, hour = 23, mday = 31, mon = 11, year = 1969, "
                   "isdst = 0 }"),
              "-2");
    EXPECT_EQ(run("timegm { sec = '1' }"), "test:1: invalid tm.sec");
    EXPECT_EQ(run("timegm { sec = 1, min = 1, hour = 1, mday = 1, mon = 1, isdst = 0 }"),
              "test:1: invalid tm.year");
    EXPECT_EQ(eval("timegm { sec = 0, min = 0, hour = 0, mday = 1, mon = 0, year = 1e300, "
                   "isdst = 0 } ~= 0"),
              "true");
}

TEST_F(ApiTest, StatTypes) {
    EXPECT_EQ(eval("stat('/dev/null').type"), "chardev");
    EXPECT_EQ(eval("stat('" + nfqws2::test::in_data("lua-api-vectors.lua") + "').type"), "file");
    EXPECT_EQ(run("local s = stat('/') assert(s.size and s.inode and s.dev and s.mtime > 0)"), "");
    EXPECT_EQ(run("local a, b, c = stat('/nonexistent\\0x') assert(a == nil and c == 2)"), "");
}

TEST_F(ApiTest, LogsByClass) {
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(run("DLOG('quiet') DLOG_CONDUP('50%s\\0cut') DLOG_ERR(5)"), "");
    fflush(stdout);
    EXPECT_EQ(::testing::internal::GetCapturedStdout(), "LUA: 50%s\n");
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "LUA: 5\n");
}

TEST_F(ApiTest, DebugLogShowsDlog) {
    log::set_target_console();
    ::testing::internal::CaptureStdout();
    EXPECT_EQ(run("DLOG('seen') DLOG_CONDUP('once')"), "");
    fflush(stdout);
    const std::string output = ::testing::internal::GetCapturedStdout();
    log::set_target_none();
    EXPECT_EQ(output, "LUA: seen\nLUA: once\n");
}

TEST_F(ApiTest, DecompressionBombsAreCut) {
    EXPECT_EQ(run(R"lua(
        local z = gzip_init()
        local megabyte, pieces = ("\0"):rep(1048576), {}
        for i = 1, 70 do pieces[i] = gzip_deflate(z, megabyte) end
        pieces[71] = gzip_deflate(z)
        local bomb = table.concat(pieces)
        assert(#bomb < 200000)
        local out, finished = gunzip_inflate(gunzip_init(), bomb)
        assert(out == nil and finished == nil)
    )lua"),
              "");
}

TEST_F(ApiTest, StreamChunkArguments) {
    EXPECT_EQ(run(R"lua(
        local z = gzip_init()
        local a = gzip_deflate(z, "hello", -63)
        assert(a ~= nil)
        assert(gzip_deflate(z, "hello", -64) == nil)
        a = a .. gzip_deflate(z, nil, 1)
        assert(gunzip_inflate(gunzip_init(), a, -1) == nil)
        for _, chunk in ipairs { 0, 1, 7, 1e9 } do
            local out, finished = gunzip_inflate(gunzip_init(), a, chunk)
            assert(out == "hello" and finished == true)
        end
        local u = gunzip_init()
        assert(gunzip_inflate(u, a) == "hello")
        local rest, done = gunzip_inflate(u, "more")
        assert(rest == "" and done == true)
        assert(not pcall(gunzip_inflate, u, "x", "y"))
    )lua"),
              "");
}

TEST_F(ApiTest, StreamsAreCollectedAndClosed) {
    EXPECT_EQ(run("for i = 1, 1000 do gzip_init() gunzip_init() end collectgarbage()"), "");
    EXPECT_EQ(run("local z = gunzip_init() gunzip_end(z) gunzip_end(z)"),
              "test:1: gzip stream is not valid");
    EXPECT_EQ(run("gzip_end(gunzip_init())"), "test:1: gzip stream role mismatch");
    EXPECT_EQ(run("gzip_end(io.stdout)"),
              "test:1: bad argument #1 to 'gzip_end' (userdata_zstream expected, got userdata)");
    if (!is_luajit) {
        EXPECT_EQ(run("local kept do local z <close> = gunzip_init() kept = z end "
                      "gunzip_inflate(kept, '')"),
                  "test:1: gzip stream is not valid");
    }
}

TEST_F(ApiTest, CorruptDataLeavesTheStreamUsableAsAnObject) {
    EXPECT_EQ(run("local u = gunzip_init() assert(gunzip_inflate(u, 'garbage!') == nil) "
                  "assert(gunzip_inflate(u, 'x') == nil) gunzip_end(u)"),
              "");
}

TEST_F(ApiTest, Positions) {
    EXPECT_EQ(eval("resolve_pos('abcdef', 'unknown', '5')"), "6");
    EXPECT_EQ(eval("resolve_pos('abcdef', 'all', '5', true)"), "5");
    EXPECT_EQ(run("resolve_pos('a', 'nosuch', '1')"), "test:1: bad payload type : 'nosuch'");
    EXPECT_EQ(run("resolve_range('a', 'all', '1,2,3')"), "test:1: bad marker list");
    EXPECT_EQ(run("resolve_range('a', 'all', '1')"), "test:1: resolve_range require 2 markers");
    EXPECT_EQ(run("resolve_range('a', 'all', '')"), "test:1: resolve_range require 2 markers");
    EXPECT_EQ(eval("resolve_range('', 'all', '0,0')"), "nil");
    EXPECT_EQ(eval("table.concat(resolve_range('abcdefghij', 'all', '5,1000'), '-')"), "6-10");
    EXPECT_EQ(eval("table.concat(resolve_range('abcdefghij', 'all', '5,5', false, 0), '-')"),
              "5-5");
}

TEST_F(ApiTest, TlsModFailures) {
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(eval("tls_mod('garbage', 'rnd')"), "nil");
    EXPECT_NE(::testing::internal::GetCapturedStderr(), "");
    EXPECT_EQ(eval("tls_mod('garbage', '')"), "garbage");
    EXPECT_EQ(eval("tls_mod('garbage', 'none', nil)"), "garbage");
    EXPECT_EQ(run("tls_mod('x', 'rnd,,')"), "test:1: invalid tls mod list : 'rnd,,'");
}

TEST_F(ApiTest, Constants) {
    const struct {
        const char* name;
        const char* value;
    } rows[] = {
        {"VERDICT_PRESERVE_NEXT", "4"},
        {"DEFAULT_MSS", "1220"},
        {"ICMP_BASE_LEN", "8"},
        {"TCP_KIND_END", "0"},
        {"TCP_KIND_AO", "29"},
        {"TH_CWR", "128"},
        {"IP_RF", "32768"},
        {"IPTOS_DSCP_MASK", "252"},
        {"IP6F_MORE_FRAG", "1"},
        {"IPV6_FLOWLABEL_MASK", "1048575"},
        {"IPPROTO_IPIP", "4"},
        {"IPPROTO_ESP", "50"},
        {"IPPROTO_MH", "135"},
        {"ICMP_INFO_REPLY", "16"},
        {"ICMP_UNREACH_PRECEDENCE_CUTOFF", "15"},
        {"ICMP_REDIRECT_TOSHOST", "3"},
        {"ICMP_TIMXCEED_REASS", "1"},
        {"MLD_LISTENER_REDUCTION", "132"},
        {"ND_REDIRECT", "137"},
        {"ICMP6_DST_UNREACH_NOPORT", "4"},
        {"ICMP6_TIME_EXCEED_REASSEMBLY", "1"},
        {"ICMP6_PARAMPROB_OPTION", "2"},
    };
    for (const auto& row : rows)
        EXPECT_EQ(eval(row.name), row.value) << row.name;
}

} // namespace
} // namespace nfqws2::lua
