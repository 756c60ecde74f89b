// The engine as the event loop sees it: start, timers, wake-ups, garbage, counters, dumps, end.
#include "hellos.hpp"
#include "machine.hpp"

#include <thread>

namespace nfqws2::engine::test {
namespace {

const Lines none{};

// --- want of memory

TEST(EngineMemory, APacketThatCannotBeHandledPasses) {
    Machine m({{"--lua-desync=f"}, "function f() return VERDICT_DROP end", {}});
    ClockWithoutMemory clock;
    Services services{&clock,   m.random.get(),     &m.wire, &m.network, m.profiles.get(),
                      &m.lists, m.auto_hosts.get(), {},      nullptr};
    Options options;
    options.lua_init = {{false, "function f() return VERDICT_DROP end"}};
    Engine engine(options, services);
    ASSERT_TRUE(engine.init_lua({}));
    const auto data = udp(client4, server4, "x");
    capture::InputPacket packet;
    packet.data = data;
    engine.on_packet(packet); // a first one is not dropped but spoilt
    const capture::Action usual = engine.on_packet(packet).action;
    clock.lacks = true;
    ErrorText errors;
    EXPECT_EQ(engine.on_packet(packet).action, capture::Action::accept);
    EXPECT_NE(errors.text().find("out of memory: a packet passes untouched"), std::string::npos);
    clock.lacks = false;
    EXPECT_EQ(engine.on_packet(packet).action, usual);
    EXPECT_NE(usual, capture::Action::accept);
    EXPECT_EQ(engine.counters().packets, 4U);
}

// --- start

TEST(EngineStart, InitItemsRunInOrder) {
    Config config{{"--lua-desync=f"}, "function f() tell(trace) end", {}};
    for (const char* item : {"trace = 'a'", "trace = trace .. 'b'", "return 1, 2, 3"})
        config.options.lua_init.push_back({false, item});
    Machine m(config);
    EXPECT_TRUE(m.ready);
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "ab");
}

TEST(EngineStart, FirstErrorEndsIt) {
    for (const char* bad : {"error('boom')", "this is no Lua", "error({})"}) {
        Config config{{}, "rawsend(string.rep('E', 20))", {}}; // must not be reached
        config.options.lua_init.push_back({false, bad});
        ErrorText errors;
        Machine m(config);
        EXPECT_FALSE(m.ready) << bad;
        EXPECT_NE(errors.text().find("LUA ERROR: "), std::string::npos) << bad;
        EXPECT_TRUE(m.wire.sent.empty());
    }
}

TEST(EngineStart, MayBeStopped) {
    Machine m({{}, "", {}});
    Services services{&m.clock, m.random.get(),     &m.wire, &m.network, m.profiles.get(),
                      &m.lists, m.auto_hosts.get(), {},      nullptr};
    Options options;
    options.lua_init = {{false, "first = true"}, {false, "error('not reached')"}};
    int asked = 0;
    Engine engine(options, services);
    EXPECT_FALSE(engine.init_lua([&] { return ++asked == 2; }));
    EXPECT_EQ(asked, 2);
}

TEST(EngineStart, GlobalsTellTheOptions) {
    Config config{{"--lua-desync=f"},
                  R"lua(
        function f()
            tell(NFQWS2_VER, NFQWS2_COMPAT_VER, qnum, desync_fwmark, b_debug, b_daemon, b_server,
                b_ipcache_hostname, b_ctrack_disable, #mine, #fake_default_tls, #fake_default_http,
                #fake_default_quic)
        end)lua",
                  {}};
    config.options.version = "v9";
    config.options.qnum = 200;
    config.options.desync_fwmark = 0x20;
    config.options.ipcache_hostname = config.options.debug = true;
    config.options.blobs = {{"mine", {1, 2, 3}}, {"print", {1}}, {"VERDICT_PASS", {1}}};
    Machine m(config);
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(),
              "v9 6 200 32 true false false true false 3 680 263 620");
}

TEST(EngineStart, RequireTakesSourceTextOnly) {
    profile::testing::TempDir dir;
    const std::string path = "package.path = '" + dir.file("?.lua") + "' ";
    const auto run = [&](const std::string& code) {
        Machine m({{"--lua-desync=f"}, path + "function f() tell(" + code + ") end", {}});
        return m.out(udp(client4, server4, "x")).line();
    };
    dir.write("good.lua", "return {name = ..., value = 7}");
    EXPECT_EQ(run("require('good').value, require('good').name, package.loaded.good.value"),
              "7 good 7");
    dir.write("wrong.lua", "this is no Lua");
    EXPECT_NE(run("pcall(require, 'wrong')").find("error loading module 'wrong'"),
              std::string::npos);
    EXPECT_NE(run("pcall(require, 'absent')").find("absent.lua"), std::string::npos);
    Machine writer({{},
                    "local file = io.open('" + dir.file("code.lua") +
                        "', 'wb') file:write(string.dump(function() return 1 end)) file:close()",
                    {}});
    ASSERT_EQ(dir.read("code.lua").substr(0, 1), "\x1b");
    EXPECT_EQ(run("pcall(require, 'code')").substr(0, 6), "false ");
    EXPECT_EQ(run("loadfile('" + dir.file("code.lua") + "')").substr(0, 4), "nil ");
    EXPECT_EQ(run("pcall(dofile, '" + dir.file("code.lua") + "')").substr(0, 6), "false ");
    EXPECT_EQ(run("load(string.dump(function() end))").substr(0, 4), "nil ");
    EXPECT_EQ(run("load(coroutine.wrap(function() coroutine.yield(string.dump(function() end)) "
                  "end))")
                  .substr(0, 4),
              "nil ");
    for (const char* gone : {"ffi", "jit.util", "debug"})
        EXPECT_EQ(run("pcall(require, '" + std::string(gone) + "')").substr(0, 6), "false ")
            << gone;
}

TEST(EngineStart, SeedMakesRunsEqual) {
    const auto run = [](bool seeded) {
        Config config{{"--lua-desync=f"},
                      "math.randomseed(os.clock() * 1e6) function f() tell(math.random(2^31)) end",
                      {}};
        config.options.seeded = seeded;
        Machine m(config);
        return m.out(udp(client4, server4, "x")).line();
    };
    EXPECT_EQ(run(true), run(true));
}

// --- timers

TEST(EngineTimers, RunWithTheLoopAndWakeIt) {
    Machine m(
        {{"--lua-desync=f"},
         "function f() timer_set('t', function(name, data) tell(name, data) end, 250, false, 'd') "
         "end",
         {}});
    EXPECT_FALSE(m.engine->has_timers());
    EXPECT_EQ(m.engine->next_wakeup_ms(), -1);
    m.out(icmp(client4, server4, 8, 0, {}));
    EXPECT_TRUE(m.engine->has_timers());
    EXPECT_EQ(m.engine->next_timer_ms(), m.clock.boot_ms() + 250);
    EXPECT_EQ(m.engine->next_wakeup_ms(), 250);
    EXPECT_EQ(m.wait(0.2).told, none);
    EXPECT_EQ(m.engine->next_wakeup_ms(), 50);
    EXPECT_EQ(m.wait(0.05).told, Lines{"t d"});
    m.advance(10);
    EXPECT_EQ(m.engine->next_wakeup_ms(), 0);
    EXPECT_EQ(m.wait(0).told, Lines{"t d"}) << "missed periods are not caught up";
    EXPECT_EQ(m.engine->next_wakeup_ms(), 250);
}

TEST(EngineTimers, ErrorsAreCounted) {
    Machine m({{}, "timer_set('t', function() error('x') end, 10)", {}});
    ErrorText errors;
    m.wait(1);
    EXPECT_EQ(m.engine->counters().lua_errors, 1U);
    EXPECT_FALSE(m.engine->has_timers());
}

TEST(EngineTimers, MayFeedAndSendPackets) {
    const Buffer datagram = udp(client4, server4, "x");
    Machine m({{},
               "p = " + lua_bytes(datagram) +
                   " timer_set('t', function() conntrack_feed(p) rawsend(p) end, 10, true)",
               {}});
    EXPECT_EQ(m.wait(1).sent, (std::vector<Sent>{{datagram, Machine::mark, ""}}));
    EXPECT_EQ(m.engine->flows(), 1U);
}

// --- wake-ups for flows

TEST(EngineWakeup, IdleFlowsAreLookedAtInTime) {
    Config config;
    config.options.ctrack.timeout_udp = 20;
    Machine m(config);
    m.out(udp(client4, server4, "x"));
    double slept = 0;
    while (m.engine->flows() != 0 && slept < 60) {
        const int wait = m.engine->next_wakeup_ms();
        ASSERT_GE(wait, 0);
        slept += wait / 1000.0 + 0.001;
        m.wait(wait / 1000.0 + 0.001);
    }
    EXPECT_NEAR(slept, 20, 2);
    EXPECT_EQ(m.engine->next_wakeup_ms(), -1);
}

// A flood that has ended must not stay in memory for hours.
TEST(EngineWakeup, ManyIdleFlowsGoWithoutDelay) {
    Config config;
    config.options.ctrack.timeout_udp = 20;
    Machine m(config);
    for (unsigned i = 0; i < 5000; i++)
        m.out(udp(Peer{"10.1.0.1", static_cast<std::uint16_t>(i + 1)}, server4, "x"));
    EXPECT_EQ(m.engine->flows(), 5000U);
    m.advance(25);
    int turns = 0;
    while (m.engine->flows() != 0 && turns < 1000) {
        m.wait(m.engine->next_wakeup_ms() / 1000.0);
        turns++;
    }
    EXPECT_EQ(m.engine->flows(), 0U);
    EXPECT_LT(m.clock.boot_ns(), Machine::start_ns + 27'000'000'000);
}

// --- garbage

// Makes garbage that runs a function when it is collected.
constexpr const char* garbage = R"lua(
collectgarbage("stop")
function leave(f)
    if not newproxy then setmetatable({}, {__gc = f}) return end
    getmetatable(newproxy(true)).__gc = f
end
)lua";

TEST(EngineGarbage, IsCollectedAtOnceAndThenByTime) {
    const std::string gone = "local function gone() tell('gone') end ";
    Machine m(
        {{"--lua-desync=f"}, garbage + gone + "function f() leave(gone) end leave(gone)", {}});
    const auto collect = [&] {
        m.engine->collect_garbage();
        Lines told = m.wire.told;
        m.wire.told.clear();
        return told.size();
    };
    EXPECT_EQ(collect(), 1U);
    m.out(udp(client4, server4, "x"));
    m.advance(59);
    EXPECT_EQ(collect(), 0U);
    m.advance(1);
    EXPECT_EQ(collect(), 1U);

    Config off{{}, garbage + gone + "leave(gone)", {}};
    off.options.lua_gc_s = 0;
    Machine never(off);
    never.advance(1000);
    never.engine->collect_garbage();
    EXPECT_EQ(never.wire.told, none);
}

TEST(EngineGarbage, FailingFinalizerDoesNoHarm) {
    Machine m(
        {{"--lua-desync=f"},
         std::string(garbage) + "leave(function() error('late') end) function f() tell('on') end",
         {}});
    ErrorText errors;
    m.engine->collect_garbage();
    m.advance(60);
    m.engine->collect_garbage();
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "on");
}

// --- interrupt

TEST(EngineInterrupt, EndsRunningLuaCodeOfAnotherThread) {
    Config config{
        {"--lua-desync=f"},
        "function f() if jit then jit.off(f) end local n = 0 while true do n = n + 1 end end",
        {}};
    config.options.in_thread = true;
    config.options.lua_call_ms = 0;
    Machine m(config);
    ErrorText errors;
    std::thread signal([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        m.engine->interrupt();
    });
    const Outcome outcome = m.out(udp(client4, server4, "x"));
    signal.join();
    EXPECT_TRUE(outcome.accepted());
    EXPECT_NE(errors.text().find("INTERRUPT"), std::string::npos);
}

// --- counters, dumps

TEST(EngineCounters, CountVerdicts) {
    Machine m({{"--in-range=a", "--lua-desync=f"},
               "function f(ctx, d) if d.dis.payload == 'error' then error('x') end "
               "return ({drop = 2, modify = 1})[d.dis.payload] or 0 end",
               {}});
    ErrorText errors;
    m.in(udp(server4, client4, "first"));
    for (const char* payload : {"drop", "modify", "pass", "error", "drop"})
        m.in(udp(server4, client4, payload));
    m.process(udp(client4, server4, "x"), "", "", 0x40000000);
    m.out(Buffer{1});
    const Counters& c = m.engine->counters();
    EXPECT_EQ(c.packets, 8U);
    EXPECT_EQ(c.dropped, 2U);
    EXPECT_EQ(c.modified, 1U);
    EXPECT_EQ(c.accepted, 5U);
    EXPECT_EQ(c.ignored, 1U);
    EXPECT_EQ(c.lua_errors, 1U);
}

TEST(EngineDumps, ConntrackAndIpCache) {
    Config config{{"--lua-desync=pass"}, "", {}};
    config.options.ipcache_hostname = true;
    Machine m(config);
    const TcpFlow flow;
    m.open(flow);
    m.out(flow.from_client(text("GET / HTTP/1.1\r\nHost: a.com\r\n\r\n"), 0));
    Lines lines;
    m.engine->dump_conntrack([&](const std::string& line) { lines.push_back(line); });
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].substr(0, 51), "tcp [10.1.0.1]:1111 => [10.2.0.1]:443 : ESTABLISHED");
    EXPECT_NE(lines[0].find("hostname=a.com l7proto=http"), std::string::npos);
    EXPECT_EQ(m.ip_cache(), (Lines{"10.2.0.1 iface=eth0 : ttl 57 hostname= hostname_is_ip=0",
                                   "10.2.0.1 iface= : ttl 0 hostname=a.com hostname_is_ip=0"}));
}

TEST(EngineDumps, NothingWithoutConntrack) {
    Config config;
    config.options.ctrack_disable = true;
    Machine m(config);
    m.out(udp(client4, server4, "x"));
    m.engine->dump_conntrack([](const std::string&) { ADD_FAILURE(); });
    EXPECT_EQ(m.engine->flows(), 0U);
    EXPECT_EQ(m.engine->held(), 0U);
    EXPECT_EQ(m.engine->next_wakeup_ms(), -1);
    m.wait(1);
    m.engine->release_held();
}

} // namespace
} // namespace nfqws2::engine::test
