// Which instances run (docs/contracts/lua-bridge.md#when-instances-are-called).
#include "machine.hpp"

namespace nfqws2::engine::test {
namespace {

constexpr const char* named = R"lua(
function a(ctx, d) tell("a") end
function b(ctx, d) tell("b") end
function c(ctx, d) tell("c") end
function flags(ctx, d) tell(d.track.lua_in_cutoff, d.track.lua_out_cutoff) end
)lua";

Config with(std::vector<std::string> words, const std::string& lua = {}) {
    return {std::move(words), named + lua, {}};
}

// What the instances tell about each of the packets, "" for none.
Lines run(Machine& m, const std::vector<std::pair<bool, Buffer>>& packets) {
    Lines lines;
    for (const auto& [out, packet] : packets) {
        std::string all;
        for (const std::string& line : (out ? m.out(packet) : m.in(packet)).told)
            all += line;
        lines.push_back(all);
    }
    return lines;
}

TEST(LuaStage, RangeExample) {
    Machine m(
        with({"--out-range=n2-d1", "--lua-desync=a", "--out-range=s1<s200", "--lua-desync=b"}));
    const TcpFlow f;
    const Buffer part(100, 'x');
    EXPECT_EQ(run(m, {{true, f.syn()},
                      {false, f.syn_ack()},
                      {true, f.ack()},                  // n2 d0 s1
                      {true, f.from_client(part, 0)},   // n3 d1 s1
                      {true, f.from_client(part, 100)}, // n4 d2 s101
                      {true, f.from_client(part, 199)}, // n5 d3 s200
                      {true, f.from_client(part, 0)}}), // out cutoff
              (Lines{"", "", "ab", "ab", "b", "", ""}));
}

struct RangeCase {
    const char* range;
    const char* runs; // one letter per outgoing packet: SYN, ACK, 100 bytes, ACK, 100 bytes, 50
};

// Values: n 1 2 3 4 5 6; d 0 0 1 1 2 3; b 0 0 100 100 200 250; s 0 1 1 101 101 201; p 0 1 101 101
// 201 251.
constexpr RangeCase range_cases[] = {
    {"a", "xxxxxx"},     {"x", "------"},         {"n1-n3", "xxx---"},   {"n1<n3", "xx----"},
    {"n2-", "-xxxxx"},   {"n2<", "-xxxxx"},       {"-n2", "xx----"},     {"<n2", "x-----"},
    {"-d1", "xxxx--"},   {"d1-d1", "--xx--"},     {"d1<d2", "--xx--"},   {"b1-b200", "--xxx-"},
    {"<b100", "xx----"}, {"-b100", "xxxx--"},     {"s1-s101", "-xxxx-"}, {"s1<s101", "-xx---"},
    {"s101-", "---xxx"}, {"p101-p201", "--xxx-"}, {"p0<p101", "xx----"}, {"n2-d1", "-xxx--"},
    {"a-a", "xxxxxx"},   {"x-x", "------"},       {"x-a", "------"},     {"a-x", "------"},
};

TEST(LuaStage, RangeModes) {
    for (const RangeCase& c : range_cases) {
        Machine m(with({std::string("--out-range=") + c.range, "--lua-desync=a"}));
        const TcpFlow f;
        const Buffer part(100, 'x');
        Lines told = run(m, {{true, f.syn()},
                             {true, f.ack()},
                             {true, f.from_client(part, 0)},
                             {true, f.from_client({}, 100)},
                             {true, f.from_client(part, 100)},
                             {true, f.from_client(Buffer(50, 'x'), 200)}});
        std::string runs;
        for (const std::string& line : told)
            runs += line.empty() ? '-' : 'x';
        EXPECT_EQ(runs, c.runs) << c.range;
    }
}

TEST(LuaStage, RangesOfUdpHaveNoPositions) {
    for (const char* range : {"s0-s0", "p0-p0", "-s0", "d1-d2"}) {
        Machine m(with({std::string("--out-range=") + range, "--lua-desync=a"}));
        EXPECT_EQ(run(m, {{true, udp(client4, server4, "x")}, {true, udp(client4, server4, "y")}}),
                  (Lines{"a", "a"}))
            << range;
    }
}

TEST(LuaStage, InRangeCountsTheServersPackets) {
    Machine m(with({"--out-range=x", "--in-range=n2-d1", "--lua-desync=a"}));
    const TcpFlow f;
    EXPECT_EQ(run(m, {{true, f.syn()},
                      {false, f.syn_ack()},
                      {true, f.ack()},
                      {false, f.from_server({}, 0)},
                      {false, f.from_server(text("x"), 0)},
                      {false, f.from_server(text("x"), 1)}}),
              (Lines{"", "", "", "a", "a", ""}));
}

TEST(LuaStage, WithoutATrackOnlyAlwaysIsInRange) {
    const Buffer packet = TcpFlow().from_client(text("x"), 0);
    for (const char* range : {"n1-n9", "-n9", "n1-", "d1-", "s0-", "x"}) {
        Machine m(with({std::string("--out-range=") + range, "--lua-desync=a"}));
        EXPECT_EQ(run(m, {{true, packet}}), Lines{""}) << range;
    }
    Machine m(with({"--out-range=a", "--lua-desync=a"}));
    EXPECT_EQ(run(m, {{true, packet}, {true, packet}}), (Lines{"a", "a"}));
}

TEST(LuaStage, PositionsBeyond2GMatchNothing) {
    for (const char* range : {"s0-", "-s4294967295", "p0-", "<p4294967295"}) {
        Machine m(with({std::string("--out-range=") + range, "--lua-desync=a"}));
        TcpFlow f;
        f.client_isn = 0;
        m.out(f.syn());
        // Real progress in steps of a window.
        for (std::uint32_t at = 0x3FFFFFFF; at < 0x80000000U; at += 0x3FFFFFFF)
            EXPECT_EQ(run(m, {{true, f.from_client(text("x"), at)}}), Lines{"a"}) << range;
        EXPECT_EQ(run(m, {{true, f.from_client(text("x"), 0x80000001U)}}), Lines{""}) << range;
    }
}

TEST(LuaStage, CutoffFlagIsSetWhenAllInstancesAreBeyond) {
    Machine m(with({"--out-range=-n2", "--in-range=-n1", "--lua-desync=a", "--lua-desync=flags"}));
    const TcpFlow f;
    EXPECT_EQ(run(m, {{true, f.syn()}, {false, f.syn_ack()}, {true, f.ack()}}),
              (Lines{"afalse false", "afalse false", "afalse false"}));
    EXPECT_EQ(run(m, {{true, f.from_client(text("x"), 0)}}), Lines{""});
    // The table of an incoming packet would show the flag; its own direction ends with it.
    Machine other(with({"--out-range=-n1", "--in-range=a", "--lua-desync=flags"}));
    EXPECT_EQ(run(other, {{true, f.syn()},
                          {false, f.syn_ack()},
                          {true, f.ack()},
                          {false, f.from_server(text("x"), 0)}}),
              (Lines{"false false", "false false", "", "false true"}));
}

// A retransmission would be in range again.
TEST(LuaStage, CutoffFlagIsPermanent) {
    Machine m(with({"--out-range=<s100", "--lua-desync=a"}));
    const TcpFlow f;
    m.open(f);
    const Buffer part(100, 'x');
    EXPECT_EQ(run(m, {{true, f.from_client(part, 0)},
                      {true, f.from_client(part, 100)},
                      {true, f.from_client(part, 0)}}),
              (Lines{"a", "", ""}));
    Machine gap(with({"--out-range=s100-s150", "--lua-desync=a"})); // below the range: no flag
    gap.open(f);
    EXPECT_EQ(run(gap, {{true, f.from_client(part, 0)}, {true, f.from_client(part, 100)}}),
              (Lines{"", "a"}));
}

TEST(LuaStage, FlagDoesNotDependOnPayloadFilters) {
    Machine m(with({"--payload=http_req", "--lua-desync=a"}));
    const TcpFlow f;
    m.open(f);
    EXPECT_EQ(run(m, {{true, f.from_client(text("nothing known"), 0)},
                      {true, f.from_client(text("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 20)}}),
              (Lines{"", "a"}));
}

TEST(LuaStage, PayloadFiltersBySet) {
    struct {
        const char* filter;
        const char* runs; // SYN (empty), text, HTTP request
    } const cases[] = {
        {"all", "xxx"},      {"empty", "x--"},       {"unknown", "-x-"},         {"known", "--x"},
        {"http_req", "--x"}, {"empty,known", "x-x"}, {"tls_client_hello", "---"}};
    for (const auto& c : cases) {
        Machine m(with({std::string("--payload=") + c.filter, "--lua-desync=a"}));
        const TcpFlow f;
        std::string runs;
        for (const std::string& line :
             run(m, {{true, f.syn()},
                     {true, f.from_client(text("some text"), 0)},
                     {true, f.from_client(text("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 9)}}))
            runs += line.empty() ? '-' : 'x';
        EXPECT_EQ(runs, c.runs) << c.filter;
    }
}

TEST(LuaStage, InstanceCutoffWorksFromTheNextPacketOn) {
    struct {
        const char* argument;
        const char* runs; // out, in, out, in
    } const cases[] = {{"", "x---"}, {", true", "xx-x"}, {", false", "x-x-"}};
    for (const auto& c : cases) {
        Machine m(with({"--in-range=a", "--lua-desync=f", "--lua-desync=b"},
                       std::string("function f(ctx, d) tell('f') if d.outgoing then "
                                   "instance_cutoff(ctx") +
                           c.argument + ") tell('!') end end"));
        std::string runs;
        const Buffer there = udp(client4, server4, "x"), back = udp(server4, client4, "y");
        for (int i = 0; i < 4; i++) {
            const Lines told = i % 2 == 0 ? m.out(there).told : m.in(back).told;
            EXPECT_EQ(told.back(), "b"); // others are not concerned
            runs += told.front() == "f" ? 'x' : '-';
        }
        EXPECT_EQ(runs, c.runs) << c.argument;
    }
}

// Each instance is cut off on its own, also when both run the same function.
TEST(LuaStage, CutoffOfAllInstancesSetsTheFlag) {
    Machine m(with({"--in-range=a", "--lua-desync=f:n=1", "--lua-desync=f:n=2"}, R"lua(
        function f(ctx, d)
            tell(d.arg.n, d.track.lua_out_cutoff)
            if not d.outgoing then return end
            if d.track.lua_state[d.func_instance] then instance_cutoff(ctx, true) end
            d.track.lua_state[d.func_instance] = d.arg.n == "1" or d.track.lua_state.more
            d.track.lua_state.more = true
        end)lua"));
    const Buffer there = udp(client4, server4, "x"), back = udp(server4, client4, "y");
    EXPECT_EQ(m.out(there).told, (Lines{"1 false", "2 false"}));
    EXPECT_EQ(m.out(there).told, (Lines{"1 false", "2 false"}));
    EXPECT_EQ(m.out(there).told, Lines{});
    EXPECT_EQ(m.in(back).told, (Lines{"1 true", "2 true"}));
}

TEST(LuaStage, LuaCutoffLetsTheCurrentChainFinish) {
    Machine m(with({"--in-range=a", "--lua-desync=f", "--lua-desync=b"},
                   "function f(ctx, d) tell('f') lua_cutoff(ctx, true) end"));
    const Buffer there = udp(client4, server4, "x"), back = udp(server4, client4, "y");
    EXPECT_EQ(run(m, {{true, there}, {true, there}, {false, back}, {true, there}}),
              (Lines{"fb", "", "fb", ""}));
    Machine both(with({"--in-range=a", "--lua-desync=f"},
                      "function f(ctx, d) tell('f') lua_cutoff(ctx) end"));
    EXPECT_EQ(run(both, {{true, there}, {true, there}, {false, back}}), (Lines{"f", "", ""}));
}

TEST(LuaStage, ManyInstancesKeepTheirOwnCutoffs) {
    std::vector<std::string> words;
    for (int i = 1; i <= 40; i++)
        words.push_back("--lua-desync=f:n=" + std::to_string(i));
    Machine m(with(words, "function f(ctx, d) tell(d.arg.n) "
                          "if tonumber(d.arg.n) % 7 == 0 then instance_cutoff(ctx) end end"));
    EXPECT_EQ(m.out(udp(client4, server4, "x")).told.size(), 40U);
    const Lines second = m.out(udp(client4, server4, "x")).told;
    ASSERT_EQ(second.size(), 35U);
    for (const std::string& line : second)
        EXPECT_NE(std::stoi(line) % 7, 0);
}

TEST(LuaStage, AllInstancesShareOneTablePerPacket) {
    Machine m(with({"--lua-desync=f", "--lua-desync=f", "--lua-desync=f"}, R"lua(
        function f(ctx, d)
            tell(last == d, last_arg == d.arg, d.note, d.dis.note)
            last, last_arg = d, d.arg
            d.note, d.dis.note = d.func_n, d.func
        end)lua"));
    for (int i = 0; i < 2; i++)
        EXPECT_EQ(m.out(udp(client4, server4, "x")).told,
                  (Lines{"false false nil nil", "true false 1 f", "true false 2 f"}));
}

TEST(LuaStage, LuaStateIsOneTablePerFlow) {
    Machine m(with({"--in-range=a", "--lua-desync=f"}, R"lua(
        function f(ctx, d)
            local s = d.track.lua_state
            s.n = (s.n or 0) + 1
            tell(s.n, seen == nil or seen == s)
            seen = s
        end)lua"));
    const Buffer there = udp(client4, server4, "x"), back = udp(server4, client4, "y");
    EXPECT_EQ(m.out(there).line(), "1 true");
    EXPECT_EQ(m.in(back).line(), "2 true");
    EXPECT_EQ(m.out(there).line(), "3 true");
    EXPECT_EQ(m.out(udp(client6, server6, "x")).line(), "1 false"); // another flow
    EXPECT_EQ(m.out(there).line(), "4 false");
    m.wait(61);
    EXPECT_EQ(m.out(there).line(), "1 false"); // the flow ended
}

TEST(LuaStage, ExecutionPlan) {
    Machine m(
        with({"--lua-desync=plan", "--payload=known", "--out-range=n2<d10", "--in-range=-s7",
              "--lua-desync=v:c=1:d=\\%x:e=%y:f=\\::c=2", "--payload=tls_client_hello,http_req",
              "--out-range=a", "--lua-desync=w", "--payload=all", "--lua-desync=w"},
             R"lua(
        local function text(v)
            if type(v) ~= "table" then return tostring(v) end
            local keys = {}
            for k in pairs(v) do keys[#keys + 1] = k end
            table.sort(keys, function(x, y) return tostring(x) < tostring(y) end)
            for i, k in ipairs(keys) do keys[i] = tostring(k) .. "=" .. text(v[k]) end
            return "{" .. table.concat(keys, ",") .. "}"
        end
        function plan(ctx, d)
            local p = execution_plan(ctx)
            for i = 1, #p do tell(text(p[i])) end
            execution_plan_cancel(ctx)
        end
        function v() tell("v") end
        w = v
        function later(ctx) tell(#execution_plan(ctx)) end
    )lua"));
    const Buffer there = udp(client4, server4, "x"), back = udp(server4, client4, "y");
    const std::string always = "range={from={mode=a,pos=0},to={mode=a,pos=0},upper_cutoff=false}";
    const Lines out{
        "{arg={c=1,d=\\%x,e=%y,f=:},func=v,func_instance=v_1_2,func_n=2,payload={known=true},"
        "payload_filter=known,range={from={mode=n,pos=2},to={mode=d,pos=10},upper_cutoff=true}}",
        "{arg={},func=w,func_instance=w_1_3,func_n=3,payload={http_req=true,tls_client_hello=true},"
        "payload_filter=http_req,tls_client_hello," +
            always + "}",
        "{arg={},func=w,func_instance=w_1_4,func_n=4,payload={all=true},payload_filter=all," +
            always + "}"};
    EXPECT_EQ(m.out(there).told, out);
    // The ranges are those of the direction; instance 1 does not run for incoming packets.
    Machine in(
        with({"--in-range=a", "--lua-desync=plan", "--in-range=-s7", "--lua-desync=v"}, R"lua(
        function plan(ctx, d)
            local r = execution_plan(ctx)[1].range
            tell(r.from.mode, r.from.pos, r.to.mode, r.to.pos, r.upper_cutoff)
            execution_plan_cancel(ctx)
        end
        v = plan)lua"));
    EXPECT_EQ(in.in(back).line(), "a 0 a 0 false"); // the first sender of UDP is the client
    EXPECT_EQ(in.in(there).line(), "a 0 s 7 false");
}

TEST(LuaStage, PlanOfTheLastInstanceIsEmpty) {
    Machine m(with({"--lua-desync=a", "--lua-desync=f"},
                   "function f(ctx) tell(#execution_plan(ctx)) end"));
    EXPECT_EQ(m.out(udp(client4, server4, "x")).told, (Lines{"a", "0"}));
}

TEST(LuaStage, CancelledPlanKeepsTheVerdict) {
    Machine m(with({"--lua-desync=drop", "--lua-desync=f", "--lua-desync=a"},
                   "function f(ctx) execution_plan_cancel(ctx) tell('f') end"));
    m.in(udp(server4, client4, "first"));
    const Outcome second = m.in(udp(server4, client4, "x"));
    EXPECT_EQ(second.told, Lines{"f"});
    EXPECT_TRUE(second.dropped());
}

TEST(LuaStage, CtxIsGoodDuringACallOnly) {
    Machine m(with({"--lua-desync=f", "--lua-desync=g"}, R"lua(
        function f(ctx)
            tell(kept == nil or kept == ctx)
            kept = ctx
        end
        function g(ctx)
            tell(#raw_packet(kept)) -- stands for the running call
            timer_set("t", function()
                for _, native in ipairs{raw_packet, lua_cutoff, instance_cutoff, execution_plan,
                        execution_plan_cancel} do
                    local ok, message = pcall(native, kept)
                    tell(ok, message)
                end
            end, 10, true)
        end)lua"));
    EXPECT_EQ(m.out(udp(client4, server4, "x")).told, (Lines{"true", "29"}));
    const Lines later = m.wait(1).told;
    ASSERT_EQ(later.size(), 5U);
    for (const std::string& line : later)
        EXPECT_NE(line.find("ctx is invalid"), std::string::npos) << line;
    EXPECT_EQ(m.out(udp(client4, server4, "xy")).told, (Lines{"true", "30"}));
}

TEST(LuaStage, FunctionsMayBeRedefinedAtRunTime) {
    Machine m(with({"--lua-desync=f"}, R"lua(
        function f() tell(1) function f() tell(2) f = nil end end)lua"));
    const Buffer packet = udp(client4, server4, "x");
    EXPECT_EQ(m.out(packet).line(), "1");
    EXPECT_EQ(m.out(packet).line(), "2");
    ErrorText errors;
    EXPECT_TRUE(m.out(packet).accepted());
    EXPECT_TRUE(m.out(packet).accepted());
    const std::string text = errors.text();
    EXPECT_NE(text.find("desync function 'f' does not exist"), std::string::npos);
    EXPECT_NE(text.find("desync ERROR. passing packet unmodified."), std::string::npos);
    EXPECT_EQ(m.engine->counters().lua_errors, 2U);
}

TEST(LuaStage, MissingFunctionIsAStartUpError) {
    ErrorText errors;
    EXPECT_FALSE(Machine(with({"--lua-desync=no_such"})).ready);
    EXPECT_FALSE(Machine(with({"--lua-desync=f"}, "f = 7")).ready);
    EXPECT_NE(errors.text().find("desync function 'no_such' does not exist"), std::string::npos);
}

TEST(LuaStage, ProfileWithoutInstancesPasses) {
    Machine m(with({}));
    EXPECT_TRUE(m.out(udp(client4, server4, "x")).accepted());
}

TEST(LuaStage, InstanceNamesAndNumbers) {
    Machine m(with({"--filter-tcp=1", "--new", "--filter-udp=443", "--lua-desync=f",
                    "--payload=http_req", "--lua-desync=f", "--payload=all", "--lua-desync=g"},
                   "function f(ctx, d) tell(d.func, d.func_n, d.func_instance) end g = f"));
    EXPECT_EQ(m.out(udp(client4, server4, "x")).told, (Lines{"f 1 f_2_1", "g 3 g_2_3"}));
}

} // namespace
} // namespace nfqws2::engine::test
