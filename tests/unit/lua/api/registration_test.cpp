#include "../fixture.hpp"

#include <map>
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
    "rawsend rawsend_dissect packets_sent conntrack_feed get_source_ip get_ifaddrs "
    "resolve_pos resolve_multi_pos resolve_range tls_mod "
    "gunzip_init gunzip_end gunzip_inflate gzip_init gzip_end gzip_deflate "
    "timer_set timer_del timer_info timer_enum on_memory_low store ct_set ct_expect ct_lookup "
    "packet_replace nflua_enable rule_mark rule_mark_set rule_mark_del rules_check rules_stats "
    "takes_merged";

// See docs/contracts/lua-bridge.md#globals.
constexpr const char* all_constants =
    "VERDICT_PASS=0 VERDICT_MODIFY=1 VERDICT_DROP=2 VERDICT_MASK=3 VERDICT_PRESERVE_NEXT=4 "
    "DEFAULT_MSS=1220 IP_BASE_LEN=20 IP6_BASE_LEN=40 TCP_BASE_LEN=20 UDP_BASE_LEN=8 "
    "ICMP_BASE_LEN=8 TCP_KIND_END=0 TCP_KIND_NOOP=1 TCP_KIND_MSS=2 TCP_KIND_SCALE=3 "
    "TCP_KIND_SACK_PERM=4 TCP_KIND_SACK=5 TCP_KIND_TS=8 TCP_KIND_MD5=19 TCP_KIND_AO=29 "
    "TCP_KIND_FASTOPEN=34 TH_FIN=1 TH_SYN=2 TH_RST=4 TH_PUSH=8 TH_ACK=16 TH_URG=32 "
    "TH_ECE=64 TH_CWR=128 IP_RF=32768 IP_DF=16384 IP_MF=8192 IP_OFFMASK=8191 "
    "IP_FLAGMASK=57344 IPTOS_ECN_MASK=3 IPTOS_ECN_NOT_ECT=0 IPTOS_ECN_ECT1=1 "
    "IPTOS_ECN_ECT0=2 IPTOS_ECN_CE=3 IPTOS_DSCP_MASK=252 IP6F_MORE_FRAG=1 "
    "IPV6_FLOWLABEL_MASK=1048575 IPV6_FLOWINFO_MASK=268435455 IPPROTO_IP=0 "
    "IPPROTO_HOPOPTS=0 IPPROTO_ICMP=1 IPPROTO_IPIP=4 IPPROTO_TCP=6 IPPROTO_UDP=17 "
    "IPPROTO_IPV6=41 IPPROTO_ROUTING=43 IPPROTO_FRAGMENT=44 IPPROTO_ESP=50 IPPROTO_AH=51 "
    "IPPROTO_ICMPV6=58 IPPROTO_NONE=59 IPPROTO_DSTOPTS=60 IPPROTO_SCTP=132 IPPROTO_MH=135 "
    "IPPROTO_HIP=139 IPPROTO_SHIM6=140 ICMP_ECHOREPLY=0 ICMP_DEST_UNREACH=3 ICMP_REDIRECT=5 "
    "ICMP_ECHO=8 ICMP_TIME_EXCEEDED=11 ICMP_PARAMETERPROB=12 ICMP_TIMESTAMP=13 "
    "ICMP_TIMESTAMPREPLY=14 ICMP_INFO_REQUEST=15 ICMP_INFO_REPLY=16 ICMP_UNREACH_NET=0 "
    "ICMP_UNREACH_HOST=1 ICMP_UNREACH_PROTOCOL=2 ICMP_UNREACH_PORT=3 "
    "ICMP_UNREACH_NEEDFRAG=4 ICMP_UNREACH_SRCFAIL=5 ICMP_UNREACH_NET_UNKNOWN=6 "
    "ICMP_UNREACH_HOST_UNKNOWN=7 ICMP_UNREACH_NET_PROHIB=9 ICMP_UNREACH_HOST_PROHIB=10 "
    "ICMP_UNREACH_TOSNET=11 ICMP_UNREACH_TOSHOST=12 ICMP_UNREACH_FILTER_PROHIB=13 "
    "ICMP_UNREACH_HOST_PRECEDENCE=14 ICMP_UNREACH_PRECEDENCE_CUTOFF=15 ICMP_REDIRECT_NET=0 "
    "ICMP_REDIRECT_HOST=1 ICMP_REDIRECT_TOSNET=2 ICMP_REDIRECT_TOSHOST=3 "
    "ICMP_TIMXCEED_INTRANS=0 ICMP_TIMXCEED_REASS=1 ICMP6_DST_UNREACH=1 "
    "ICMP6_PACKET_TOO_BIG=2 ICMP6_TIME_EXCEEDED=3 ICMP6_PARAM_PROB=4 ICMP6_ECHO_REQUEST=128 "
    "ICMP6_ECHO_REPLY=129 MLD_LISTENER_QUERY=130 MLD_LISTENER_REPORT=131 "
    "MLD_LISTENER_REDUCTION=132 ND_ROUTER_SOLICIT=133 ND_ROUTER_ADVERT=134 "
    "ND_NEIGHBOR_SOLICIT=135 ND_NEIGHBOR_ADVERT=136 ND_REDIRECT=137 "
    "ICMP6_DST_UNREACH_NOROUTE=0 ICMP6_DST_UNREACH_ADMIN=1 ICMP6_DST_UNREACH_BEYONDSCOPE=2 "
    "ICMP6_DST_UNREACH_ADDR=3 ICMP6_DST_UNREACH_NOPORT=4 ICMP6_TIME_EXCEED_TRANSIT=0 "
    "ICMP6_TIME_EXCEED_REASSEMBLY=1 ICMP6_PARAMPROB_HEADER=0 ICMP6_PARAMPROB_NEXTHEADER=1 "
    "ICMP6_PARAMPROB_OPTION=2";
constexpr const char* all_variables =
    "NFQWS2_VER:string NFQWS2_COMPAT_VER:number qnum:number desync_fwmark:number b_debug:boolean "
    "b_daemon:boolean b_server:boolean b_ipcache_hostname:boolean b_ctrack_disable:boolean "
    "fake_default_tls:string fake_default_http:string fake_default_quic:string";

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
    EXPECT_EQ(added, expected);
}

TEST_F(ApiTest, ExactlyTheKnownVariablesAreAdded) {
    std::map<std::string, std::string> added;
    for (const auto& [name, type] : state.globals())
        if (type == "number" || type == "string" || type == "boolean") added.emplace(name, type);
    EXPECT_EQ(added.erase("_VERSION"), 1U);
    std::map<std::string, std::string> expected;
    for (const std::string_view word : split(all_variables, ' ')) {
        const std::size_t colon = word.find(':');
        expected.emplace(word.substr(0, colon), word.substr(colon + 1));
    }
    for (const std::string_view word : split(all_constants, ' ')) {
        const std::size_t equal = word.find('=');
        const std::string name(word.substr(0, equal));
        expected.emplace(name, "number");
        EXPECT_EQ(eval(name), word.substr(equal + 1)) << name;
    }
    EXPECT_EQ(expected.size(), 116U + 12U);
    EXPECT_EQ(added, expected);
}

// Nothing of the engine's own libraries is lost but what must be.
TEST_F(ApiTest, OnlyDebugIsMissingFromTheGlobals) {
    lua_State* bare = luaL_newstate();
    luaL_openlibs(bare);
    std::set<std::string> missing;
    lua_getglobal(bare, "_G");
    for (lua_pushnil(bare); lua_next(bare, -2); lua_pop(bare, 1))
        missing.insert(lua_tostring(bare, -2));
    lua_close(bare);
    for (const auto& [name, type] : state.globals())
        missing.erase(name);
    EXPECT_EQ(missing, std::set<std::string>{"debug"});
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
    state.timers().clear(L());
}

} // namespace
} // namespace nfqws2::lua
