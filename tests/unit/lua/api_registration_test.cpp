#include "api_fixture.hpp"

#include <set>

namespace nfqws2::lua {
namespace {

constexpr const char* all_names =
    "DLOG DLOG_ERR DLOG_CONDUP ntop pton "
    "bitlshift bitrshift bitand bitor bitxor bitget bitset bitnot bitnot8 bitnot16 bitnot24 "
    "bitnot32 bitnot48 "
    "u8 u16 u24 u32 u48 u8add u16add u24add u32add u48add bu8 bu16 bu24 bu32 bu48 "
    "swap16 swap24 swap32 swap48 divint brandom brandom_az brandom_az09 bcryptorandom "
    "bxor bor band hash aes aes_gcm aes_ctr hkdf parse_hex "
    "instance_cutoff lua_cutoff execution_plan execution_plan_cancel raw_packet "
    "uname clock_gettime clock_getfloattime getpid gettid stat localtime gmtime timelocal timegm "
    "reconstruct_tcphdr reconstruct_udphdr reconstruct_icmphdr reconstruct_ip6hdr "
    "reconstruct_iphdr reconstruct_dissect dissect_tcphdr dissect_udphdr dissect_icmphdr "
    "dissect_ip6hdr dissect_iphdr dissect csum_ip4_fix csum_tcp_fix csum_udp_fix csum_icmp_fix "
    "rawsend rawsend_dissect conntrack_feed get_source_ip get_ifaddrs "
    "resolve_pos resolve_multi_pos resolve_range tls_mod "
    "gunzip_init gunzip_end gunzip_inflate gzip_init gzip_end gzip_deflate "
    "timer_set timer_del timer_info timer_enum";

// Globals of the engine itself, of a state without native functions.
std::set<std::string> functions_of(lua_State* L) {
    std::set<std::string> names;
#if LUA_VERSION_NUM >= 502
    lua_pushglobaltable(L);
#else
    lua_pushvalue(L, LUA_GLOBALSINDEX);
#endif
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        if (lua_isfunction(L, -1)) names.insert(lua_tostring(L, -2));
    lua_pop(L, 1);
    return names;
}

TEST_F(ApiTest, ExactlyTheKnownFunctionsAreAdded) {
    lua_State* bare = luaL_newstate();
    luaL_openlibs(bare);
    std::set<std::string> added = functions_of(L());
    for (const std::string& name : functions_of(bare))
        added.erase(name);
    lua_close(bare);
    std::set<std::string> expected;
    for (const std::string_view name : split(all_names, ' '))
        expected.emplace(name);
    EXPECT_EQ(expected.size(), 101U);
    EXPECT_EQ(added, expected);
}

TEST_F(ApiTest, ArgumentCountIsCheckedFirst) {
    EXPECT_EQ(run("bitand('x')"), "test:1: bitand expect from 2 to 100 arguments, got 1");
    EXPECT_EQ(run("bitnot8()"), "test:1: bitnot8 expect exactly 1 arguments, got 0");
    EXPECT_EQ(run("bitnot()"), "test:1: bitnot48 expect exactly 1 arguments, got 0");
    EXPECT_EQ(run("uname(nil)"), "test:1: uname expect exactly 0 arguments, got 1");
    EXPECT_EQ(run("resolve_pos(1, 2)"), "test:1: resolve_pos expect from 3 to 4 arguments, got 2");
    EXPECT_EQ(run("dissect()"), "test:1: dissect expect from 1 to 2 arguments, got 0");
}

TEST_F(ApiTest, TypeErrorsNameArgumentAndFunction) {
    EXPECT_EQ(run("local x = u8(5)"),
              "test:1: bad argument #1 to 'u8' (string expected, got number)");
    EXPECT_EQ(run("local x = bu8({})"),
              "test:1: bad argument #1 to 'bu8' (number expected, got table)");
    EXPECT_EQ(run("local x = rawsend('x', 5)"),
              "test:1: bad argument #2 to 'rawsend' (table expected, got number)");
}

// Every function with every combination of odd values; sizes stay small because some functions give
// back as many bytes as they are asked for.
TEST_F(ApiTest, NoArgumentsCrash) {
    const std::string source = R"lua(
        local names = ...
        local zstream, gstream = gzip_init(), gunzip_init()
        local header = parse_hex("4500001400000000400600000a0100010a010002")
        local loop = {} loop.ip = loop loop.tcp = loop loop.options = loop loop[1] = loop
        local ip = { ip_ttl = 1, ip_p = 6, ip_src = "abcd", ip_dst = "efgh", options = loop }
        local list = { {}, { kind = 0/0 }, { kind = 1 }, { kind = 9, data = ("x"):rep(300) } }
        local tcp = { th_sport = -1, th_dport = 1/0, th_seq = 2^70, th_ack = 0/0, th_flags = 1.5,
            th_win = "7", options = list }
        local values = { false, true, 0, 1, -1, 1.5, 100, 70000, 0/0, "", "5", "x", "host", "sha256",
            "http_req", "rnd,sni=a.b", header, ("\255"):rep(40), ("\0"):rep(60), {}, loop, ip, tcp,
            { ip = ip, tcp = tcp }, { ip = ip, payload = ("p"):rep(70000) }, { ip = ip, frag_off = 0 },
            { ip = ip, frag_off = {} }, { ip6 = { ip6_src = ("s"):rep(16), ip6_dst = ("d"):rep(16),
            exthdr = { { type = 0, data = ("x"):rep(6) }, { type = 44, data = "\0\1xxxx" } } } },
            setmetatable({}, { __index = function() error("asked") end }), print, zstream, gstream,
            io.stdout, coroutine.create(print) }
        local huge = { 1/0, -1/0, 2^31, 2^53, 2^63, -2^63, 1e300 }
        local count = #values
        for name in names:gmatch("%S+") do
            local f, sized = _G[name], name:find("random") ~= nil
            local function arg(n)
                if n <= count then return values[n] end
                if n == count + 1 then return nil end
                return not sized and huge[n - count - 1] or 3
            end
            local total = count + 1 + #huge
            if not name:find("^DLOG") then
                pcall(f)
                for a = 1, total do
                    pcall(f, arg(a))
                    for b = 1, total do
                        pcall(f, arg(a), arg(b))
                        local r = (a * 7 + b * 13) % total + 1
                        pcall(f, arg(a), arg(b), arg(r))
                        pcall(f, arg(r), arg(b), arg(a), arg(b))
                        pcall(f, arg(b), arg(r), arg(r), arg(a), arg(a))
                    end
                end
            end
        end
    )lua";
    ASSERT_TRUE(load_text(L(), source, "=storm"));
    lua_pushstring(L(), all_names);
    ::testing::internal::CaptureStderr();
    const int status = lua_pcall(L(), 1, 0, message_handler_index);
    const std::string errors = ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(status, 0) << lua_tostring(L(), -1);
    EXPECT_NE(errors.find("reconstruct_dissect: "), std::string::npos);
    host.timers.clear(L());
}

} // namespace
} // namespace nfqws2::lua
