// 200,000 calls of the native functions with arguments drawn from a fixed seed: wrong counts, wrong
// types, extreme values, broken tables. Each must give a result or a Lua error. Worth most under
// the sanitizers.
#include "../places.hpp"
#include "fixture.hpp"

#include <algorithm>

namespace nfqws2::lua {
namespace {

constexpr const char* storm = R"lua(
local total, seed = ...
local state = seed
local function draw(n) -- 1..n
    state = (state * 16807) % 2147483647
    return state % n + 1
end
local numbers = { 0, 1, -1, 2, 7, 8, 16, 20, 40, 47, 48, 255, 256, 1220, 65535, 65536, 1.5, -0.5,
    2^31, 2^32, 2^48 - 1, 2^48, 2^53, 2^63, -2^63, 1e300, -1e300, 1/0, -1/0, 0/0 }
local strings = { "", "0", "5", "-1", "0x10", "1e5", "x", "host", "midsld", "endhost-2,1", "-10",
    "sha256", "sha224", "md5", "http_req", "tls_client_hello", "unknown", "all", "none", "rnd,rndsni",
    "sni=a.b", "dupsid", "padencap", "/", "/dev/null", "127.0.0.1", "::1", "\127\0\0\1", "\0", "\0\0",
    ("k"):rep(16), ("k"):rep(24), ("k"):rep(32), ("\255"):rep(40), ("\0"):rep(60), ("z"):rep(3000),
    fake_default_http, fake_default_tls, fake_default_quic:sub(1, 100),
    parse_hex("450000211c46400040119cccc0a80068c0a8000103e80035000d000068656c6c6f"),
    parse_hex("4500002800010000400666CB0A0100010A0100029C4001BB000003E7000000005002FAF000000000"),
    "\96\0\0\0\0\8\44\64" .. ("\1"):rep(32) .. "\17\0\0\1\0\0\0\1" .. ("\0"):rep(8),
    "\31\139\8\0\0\0\0\0\2\3\203\72\205\201\201\7\0\134\166\16\54\5\0\0\0" }
local fields = { "ip", "ip6", "tcp", "udp", "icmp", "payload", "frag_off", "options", "exthdr", "kind",
    "data", "type", "next", "ip_ttl", "ip_p", "ip_src", "ip_dst", "ip_len", "ip_off", "ip_tos",
    "ip6_src", "ip6_dst", "ip6_plen", "ip6_nxt", "ip6_flow", "th_sport", "th_dport", "th_seq", "th_ack",
    "th_flags", "th_win", "th_x2", "uh_sport", "uh_dport", "uh_ulen", "icmp_type", "icmp_code",
    "icmp_data", "keepsum", "badsum", "ip6_preserve_next", "ip6_last_proto", "repeats", "fwmark",
    "ifout", "sec", "min", "hour", "mday", "mon", "year", "isdst" }
local loop = {} for _, f in ipairs(fields) do loop[f] = loop end loop[1] = loop
local whole = {}
for _, raw in ipairs(strings) do
    local d = dissect(raw)
    if d.ip or d.ip6 then whole[#whole + 1] = d end
end
local angry = setmetatable({}, { __index = function() error("asked") end })
local others = { print, io.stdout, coroutine.create(print), angry, loop }
local value
local function table_of(depth)
    local t = {}
    for _ = 1, draw(6) do t[fields[draw(#fields)]] = value(depth - 1) end
    for i = 1, draw(3) - 1 do t[i] = value(depth - 1) end
    return t
end
-- A dissect table in which one thing is wrong.
local function broken()
    local d, copy = whole[draw(#whole)], {}
    for k, v in pairs(d) do
        if type(v) == "table" then
            local inner = {}
            for f, x in pairs(v) do inner[f] = x end
            if draw(2) == 1 then inner[fields[draw(#fields)]] = value(1) end
            v = inner
        end
        copy[k] = v
    end
    if draw(2) == 1 then copy[fields[draw(#fields)]] = value(1) end
    return copy
end
function value(depth)
    local kind = draw(16)
    if kind <= 5 then return numbers[draw(#numbers)] end
    if kind <= 10 then return strings[draw(#strings)] end
    if kind == 11 then return draw(2) == 1 end
    if kind == 12 then return nil end
    if kind == 13 then return others[draw(#others)] end
    if kind == 14 then return draw(2) == 1 and gzip_init(31, 1, 1) or gunzip_init() end
    if depth <= 0 then return {} end
    return kind == 15 and broken() or table_of(depth)
end
local unpack = unpack or table.unpack
-- The functions tell themselves how many arguments they want.
local counts = {}
for _, name in ipairs(names) do
    local _, text = pcall(_G[name], unpack({}, 1, 101))
    local exactly = tonumber(text:match("expect exactly (%d+)"))
    local from, to = text:match("expect from (%d+) to (%d+)")
    counts[name] = { exactly or tonumber(from), exactly or tonumber(to) }
end
local good, bad = 0, 0
for i = 1, total do
    local name = names[i % #names + 1]
    local range = counts[name]
    local count = draw(8) == 1 and draw(7) - 1 or
                  range[1] + draw(math.min(range[2], 6) - range[1] + 1) - 1
    local arguments = {}
    for a = 1, count do arguments[a] = value(2) end
    -- These give back as many bytes as they are asked for, up to what memory allows.
    if name:find("random") and type(arguments[1]) == "number" and arguments[1] > 1e6 then
        arguments[1] = 1e5
    end
    local ok, message = pcall(_G[name], unpack(arguments, 1, count))
    if ok then good = good + 1 else
        bad = bad + 1
        assert(type(message) == "string", name)
    end
    if i % 1000 == 0 then
        for _, timer in ipairs(timer_enum()) do timer_del(timer) end
    end
end
return good, bad
)lua";

class GeneratedCalls : public ApiTest {
  protected:
    // The names of our functions, except for those that would flood the output.
    void set_names() {
        ASSERT_EQ(run("names = {}"), "");
        int count = 0;
        lua_getglobal(L(), "names");
        auto all = state.globals();
        std::sort(all.begin(), all.end());
        for (const auto& [name, type] : all) {
            if (type != "function" || name.rfind("DLOG", 0) == 0) continue;
            lua_getglobal(L(), name.c_str());
            const bool native = lua_getupvalue(L(), -1, 1) != nullptr;
            const bool ours = native && lua_touserdata(L(), -1) == &state;
            lua_pop(L(), native ? 2 : 1);
            if (!ours) continue;
            lua::push(L(), name);
            lua_rawseti(L(), -2, ++count);
        }
        lua_pop(L(), 1);
        ASSERT_GT(count, 80);
    }
};

TEST_F(GeneratedCalls, GiveAResultOrAnError) {
    const int calls = 200'000 / static_cast<int>(nfqws2::test::every());
    set_names();
    ASSERT_TRUE(load_text(L(), storm, "=generated")) << lua_tostring(L(), -1);
    lua_pushnumber(L(), calls);
    lua_pushnumber(L(), 20260101);
    ::testing::internal::CaptureStderr();
    ::testing::internal::CaptureStdout();
    const int status = lua_pcall(L(), 2, 2, message_handler_index);
    ::testing::internal::GetCapturedStdout();
    ::testing::internal::GetCapturedStderr();
    ASSERT_EQ(status, 0) << lua_tostring(L(), -1);
    const double good = lua_tonumber(L(), -2), bad = lua_tonumber(L(), -1);
    EXPECT_EQ(good + bad, calls);
    // Both happen often, else the generator has lost its bite.
    EXPECT_GT(good, calls / 20);
    EXPECT_GT(bad, calls / 2);
    state.timers().clear(L());
}

} // namespace
} // namespace nfqws2::lua
