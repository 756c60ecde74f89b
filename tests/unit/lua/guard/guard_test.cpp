// The budget of a call, the ceiling of the memory, and what happens to calls that heed neither.
#include "../fixture.hpp"
#include "lua/flow_states.hpp"

#include "nfqws2/lua/desync.hpp"
#include "nfqws2/profile/profile_builder.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace nfqws2::lua {
namespace {

// A state of its own, with limits, since those of the fixture are set when it is opened.
class GuardTest : public ::testing::Test, protected FakeServices {
  protected:
    explicit GuardTest(Limits limits = {100, 32})
        : connections(flow::TableOptions{}, clock), state(with(&connections), limits) {
        EXPECT_TRUE(state.open({}, {}, false));
    }

    bool init(const std::string& source) {
        const LuaInit item{false, source};
        return state.run_init({&item, 1}, {});
    }
    // Runs `body` as the callback of a timer; what was logged.
    std::string in_timer(const std::string& body) {
        EXPECT_TRUE(init("timer_set('probe', function() " + body + " end, 10, true)"));
        return pass();
    }
    void run_timers() {
        clock.advance_to(clock.unix_ns() + 1'000'000'000);
        state.run_timers();
    }
    std::string pass() {
        ::testing::internal::CaptureStderr();
        run_timers();
        return ::testing::internal::GetCapturedStderr();
    }
    // A function that stands for a signal.
    void add_interruption() {
        lua_pushcfunction(state.lua(), [](lua_State*) {
            Guard::current()->interrupt();
            return 0;
        });
        lua_setglobal(state.lua(), "interruption");
    }
    bool flag(const char* name) {
        lua_getglobal(state.lua(), name);
        const bool value = lua_toboolean(state.lua(), -1);
        lua_pop(state.lua(), 1);
        return value;
    }
    // A packet for one instance of `example`.
    void packet() {
        profile::ListStore lists(clock);
        profile::ProfileBuilder builder(lists);
        builder.set_name("mine");
        builder.payload("all");
        builder.lua_desync("example");
        const profile::ProfileSet profiles(builder.finish().profiles, lists, clock);
        Desync desync(state);
        EXPECT_TRUE(desync.prepare(profiles));
        const auto bytes = *from_hex(
            "4500002800010000400666CB0A0100010A0100029C4001BB000003E8000000005010FAF000000000");
        const packet::Dissect dissected = packet::dissect(bytes);
        PacketView view;
        view.dis = &dissected;
        view.profile = &profiles.by_number(1);
        desync.run(view);
    }

    flow::ConnectionTable connections;
    State state;
};

constexpr const char* interpreted = "if jit then jit.off() end ";

TEST_F(GuardTest, AnEndlessCallEndsWithAnError) {
    ASSERT_TRUE(init(interpreted));
    const std::string log = in_timer("while true do end");
    EXPECT_NE(log.find("the call takes longer than 100 ms (--lua-call-limit)"), std::string::npos)
        << log;
    EXPECT_NE(log.find("timer 'probe'"), std::string::npos) << log;
    EXPECT_EQ(in_timer("for i = 1, 1000 do fine = true end"), "") << "the next has its own budget";
    EXPECT_TRUE(flag("fine"));
}

TEST_F(GuardTest, ProtectedCallsDoNotSaveIt) {
    ASSERT_TRUE(init(interpreted));
    const std::string log = in_timer("while true do pcall(function() while true do end end) end");
    EXPECT_NE(log.find("--lua-call-limit"), std::string::npos) << log;
}

TEST_F(GuardTest, InitIsNotLimitedInTime) {
    EXPECT_TRUE(init(std::string(interpreted) +
                     "local till = os.clock() + 0.3 while os.clock() < till do end"));
}

TEST_F(GuardTest, AnEndlessInstanceEndsWithAnError) {
    ASSERT_TRUE(init(std::string(interpreted) + "function example() while true do end end"));
    ::testing::internal::CaptureStderr();
    packet();
    const std::string log = ::testing::internal::GetCapturedStderr();
    EXPECT_NE(log.find("--lua-call-limit"), std::string::npos) << log;
    EXPECT_NE(log.find("profile 1 (mine), instance example_1_1"), std::string::npos) << log;
}

// Time enough to reach the ceiling first.
class MemoryTest : public GuardTest {
  protected:
    MemoryTest() : GuardTest({10'000, 32}) {}
};

TEST_F(MemoryTest, EndlessAllocationEndsWithAnError) {
    for (const char* body : {"local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
                             "local t = {} while true do t[#t + 1] = {} end", "brandom(1e9)"}) {
        const std::string log = in_timer(body);
        EXPECT_NE(log.find("not enough memory"), std::string::npos) << body << log;
        EXPECT_NE(log.find("the limit of 32 MB is reached (--lua-mem-limit)"), std::string::npos);
        EXPECT_EQ(in_timer("kept = ('y'):rep(1000000)"), "") << "there is room again";
    }
    EXPECT_LT(state.guard().used(), 8U << 20);
}

// One block far beyond the limit comes before the compiler can be shut.
TEST_F(MemoryTest, ABlockFarBeyondTheLimitEndsTheProcessWhereNothingMayBeRefused) {
    for (const char* body : {"local s = 'x' while true do s = s .. s end", "x = ('x'):rep(1e8)"}) {
        if (!is_luajit) {
            EXPECT_NE(in_timer(body).find("not enough memory"), std::string::npos) << body;
            continue;
        }
        ASSERT_TRUE(init("timer_set('big', function() " + std::string(body) + " end, 10)"));
        EXPECT_EXIT(run_timers(), ::testing::ExitedWithCode(Guard::memory_exit_code),
                    "takes more memory than --lua-mem-limit allows");
        ASSERT_TRUE(init("timer_del('big')"));
    }
}

// Little by little, each call far from any limit of its own.
TEST_F(MemoryTest, AGrowingHeapEndsAtTheCeiling) {
    ASSERT_TRUE(init("kept = {} function grow() for i = 1, 1000 do kept[#kept + 1] = {} end end "
                     "timer_set('grow', grow, 10)"));
    constexpr int times = 2000;
    std::string log;
    for (int i = 0; i < times && log.empty(); i++)
        log = pass();
    EXPECT_NE(log.find("not enough memory"), std::string::npos) << log;
    EXPECT_GT(state.guard().used(), 20U << 20);
    EXPECT_LT(state.guard().used(), 40U << 20);
}

TEST_F(MemoryTest, StreamsCountAsMemory) {
    const std::string log =
        in_timer("local t = {} for i = 1, 1000 do t[i] = gzip_init() or error('refused') end");
    EXPECT_NE(log.find("refused"), std::string::npos) << log;
    EXPECT_EQ(in_timer("assert(gzip_init())"), "");
}

// Names of timers are kept outside of the Lua heap too. At the limit there is no room for making
// them again, so the script keeps them.
TEST_F(MemoryTest, TimersCountAsMemory) {
    ASSERT_TRUE(init("function nothing() end names = {}"));
    const std::string log = in_timer("for i = 1, 1000 do names[i] = ('x'):rep(100000) .. i "
                                     "timer_set(names[i], 'nothing', 1000000) end");
    EXPECT_NE(log.find("not enough memory"), std::string::npos) << log;
    EXPECT_NE(log.find("--lua-mem-limit"), std::string::npos) << log;
    EXPECT_LT(state.guard().used(), 40U << 20);
    EXPECT_EQ(in_timer("for _, name in ipairs(names) do timer_del(name) end names = nil "
                       "timer_set('fine', 'nothing', 1000000) collectgarbage()"),
              "");
    EXPECT_LT(state.guard().used(), 8U << 20);
}

// Half of the states that nobody has used for a while, the longer idle ones first.
TEST_F(MemoryTest, IdleFlowsLoseTheirStates) {
    ASSERT_TRUE(init("kept = {} for i = 1, 22 do kept[i] = ('x'):rep(1000000) .. i end"));
    std::vector<flow::Track*> tracks;
    for (unsigned i = 0; i < 8; i++) {
        auto syn = *from_hex(
            "4500002800010000400666CB0A0100010A0100029C4001BB000003E8000000005002FAF000000000");
        syn[21] = static_cast<std::uint8_t>(i);
        const packet::Dissect dissected = packet::dissect(syn);
        tracks.push_back(connections.feed(dissected).track);
        state.flow_states().need(state.lua(), *tracks.back());
        clock.advance_to(clock.unix_ns() + 100'000'000);
    }
    const auto states = [&tracks] {
        std::string text;
        for (const flow::Track* track : tracks)
            text += track->lua_ref() != flow::no_lua_ref ? '+' : '-';
        return text;
    };
    clock.advance_to(clock.unix_ns() + 1'000'000'000);
    EXPECT_EQ(states(), "++++++++");
    EXPECT_EQ(in_timer("fine = true"), "");
    EXPECT_EQ(states(), "----++++");
}

TEST_F(MemoryTest, ScriptsAreToldOnceEach) {
    ASSERT_TRUE(init("told = 0 local function low(used, limit) told = told + 1 "
                     "fitting = used > 20e6 and limit == 32 * 1024 * 1024 end "
                     "on_memory_low(low) on_memory_low(low) "
                     "on_memory_low(function() error('no luck') end) "
                     "on_memory_low(function() last = true end) "
                     "kept = {} for i = 1, 22 do kept[i] = ('x'):rep(1000000) .. i end"));
    ::testing::internal::CaptureStderr();
    EXPECT_TRUE(init("fine = true"));
    const std::string log = ::testing::internal::GetCapturedStderr();
    EXPECT_NE(log.find("no luck"), std::string::npos) << log;
    EXPECT_TRUE(flag("fitting") && flag("last") && flag("fine"));
    EXPECT_TRUE(init("assert(told == 1)"));
}

TEST_F(MemoryTest, WithoutWantOfMemoryNothingIsGivenUp) {
    ASSERT_TRUE(init("on_memory_low(function() told = true end) kept = ('x'):rep(10000000)"));
    EXPECT_EQ(
        in_timer("local garbage = {} for i = 1, 6 do garbage[i] = ('x'):rep(2000000) .. i end"),
        "");
    EXPECT_EQ(in_timer("fine = true"), "");
    EXPECT_FALSE(flag("told"));
    EXPECT_NE(state.guard().compiler().is_shut(), is_luajit)
        << "the compiler is on where there is one";
}

// Per cent of so many bytes are more than 32 bits hold.
class LargeHeapTest : public GuardTest {
  protected:
    LargeHeapTest() : GuardTest({10'000, 64}) {}
};

TEST_F(LargeHeapTest, TheCollectorWaitsForHalfOfWhatIsFree) {
    ASSERT_TRUE(init("kept = {} for i = 1, 44 do kept[i] = ('x'):rep(1000000) .. i end"));
    EXPECT_EQ(in_timer("fine = true"), "");
    EXPECT_GT(state.guard().used(), 42U << 20);
    const int pause = lua_gc(state.lua(), LUA_GCSETPAUSE, 200);
    EXPECT_GT(pause, 105);
    EXPECT_LT(pause, 140);
}

// A native function runs when compiled code does not.
TEST_F(MemoryTest, NativeFunctionsAreRefusedAtAnyTime) {
    const std::string log = in_timer("brandom(1e9)");
    EXPECT_NE(log.find("not enough memory"), std::string::npos) << log;
    EXPECT_NE(log.find("--lua-mem-limit"), std::string::npos) << log;
}

TEST_F(MemoryTest, TheCeilingHoldsForInit) {
    ::testing::internal::CaptureStderr();
    EXPECT_FALSE(init("local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end"));
    EXPECT_NE(::testing::internal::GetCapturedStderr().find("--lua-mem-limit"), std::string::npos);
}

TEST_F(GuardTest, AnInterruptEndsRunningCode) {
    ASSERT_TRUE(init(interpreted));
    add_interruption();
    const std::string log = in_timer("interruption() while true do end");
    alarm(0);
    EXPECT_NE(log.find("INTERRUPT"), std::string::npos) << log;
}

class NoLimits : public GuardTest {
  protected:
    NoLimits() : GuardTest(Limits{}) {}
};

TEST_F(NoLimits, NothingIsLimited) {
    EXPECT_EQ(in_timer("local till = os.clock() + 0.3 while os.clock() < till do end "
                       "kept = ('x'):rep(40000000) kept = kept .. 'y'"),
              "");
}

using GuardDeathTest = GuardTest;
using MemoryDeathTest = MemoryTest;

TEST_F(MemoryDeathTest, CompiledCodeIsNotRefused) {
    if (!is_luajit) return; // compiles nothing
    ASSERT_TRUE(init("function example() local s = ('x'):rep(100000000) end"));
    EXPECT_EXIT(packet(), ::testing::ExitedWithCode(Guard::memory_exit_code),
                "LUA WATCHDOG: profile 1 \\(mine\\), instance example_1_1 takes more memory than "
                "--lua-mem-limit allows. The process ends with code 102");
}

TEST_F(GuardDeathTest, WhatCannotBeEndedEndsTheProcess) {
    // An exponential search in a native function: no hook is asked.
    ASSERT_TRUE(init("function example() "
                     "(('a'):rep(60)):find(('a-'):rep(30) .. 'b') end"));
    EXPECT_EXIT(
        packet(), ::testing::ExitedWithCode(Guard::exit_code),
        "LUA WATCHDOG: profile 1 \\(mine\\), instance example_1_1 does not end although its "
        "budget is spent. The process ends with code 101");
}

TEST_F(GuardDeathTest, SoDoesCompiledCode) {
    if (!is_luajit) return; // compiles nothing
    ASSERT_TRUE(init("function example() while true do end end"));
    EXPECT_EXIT(packet(), ::testing::ExitedWithCode(Guard::exit_code), "instance example_1_1");
}

// A finalizer that does not end, whoever runs it.
constexpr const char* endless_finalizer =
    "local function endless() while true do end end "
    "if newproxy then local p = newproxy(true) getmetatable(p).__gc = endless "
    "else setmetatable({}, {__gc = endless}) end ";

// A life with it, for a process of its own: the end of the state runs finalizers too.
void live_with_endless_finalizer(bool collect) {
    FakeServices services;
    State state(services.with(nullptr), {100, 32});
    state.open({}, {}, false);
    const LuaInit item{false, std::string("collectgarbage('stop') ") + endless_finalizer};
    state.run_init({&item, 1}, {});
    if (collect) state.collect_garbage(1);
}

TEST(FinalizerDeathTest, ACollectionEnds) {
    EXPECT_EXIT(live_with_endless_finalizer(true), ::testing::ExitedWithCode(Guard::exit_code),
                "LUA WATCHDOG: garbage collection does not end");
}

TEST(FinalizerDeathTest, TheEndEnds) {
    EXPECT_EXIT(live_with_endless_finalizer(false), ::testing::ExitedWithCode(Guard::exit_code),
                "LUA WATCHDOG: the end of the program does not end");
}

// The request to quit comes first, and its tick while the state ends: there is nothing to hook.
TEST(FinalizerTest, ATickAfterARequestToQuitHarmsNoEnd) {
    {
        FakeServices services;
        State state(services.with(nullptr), {1000, 32, 0, true});
        ASSERT_TRUE(state.open({}, {}, false));
        const LuaInit item{
            false, "local clock = os.clock function busy() local till = clock() + 0.06 "
                   "while clock() < till do end end "
                   "if newproxy then local p = newproxy(true) getmetatable(p).__gc = busy kept = p "
                   "else kept = setmetatable({}, {__gc = busy}) end"};
        ASSERT_TRUE(state.run_init({&item, 1}, {}));
        state.guard().collect(); // the timer is made at the first limited call
        state.interrupt();
    }
    alarm(0);
}

TEST_F(GuardTest, ACollectionCollectsAll) {
    ASSERT_TRUE(init("finalized = 0 local function count() finalized = finalized + 1 end "
                     "for i = 1, 1000 do if newproxy then local p = newproxy(true) "
                     "getmetatable(p).__gc = count else setmetatable({}, {__gc = count}) end end "
                     "weak = setmetatable({{}}, {__mode = 'v'})"));
    state.guard().collect();
    EXPECT_TRUE(init("assert(finalized == 1000 and weak[1] == nil)"));
}

TEST_F(GuardTest, ACollectionLogsWhatAFinalizerRaises) {
    ASSERT_TRUE(init("collectgarbage('stop') local function fail() error('no luck') end "
                     "if newproxy then local p = newproxy(true) getmetatable(p).__gc = fail "
                     "else setmetatable({}, {__gc = fail}) end"));
    ::testing::internal::CaptureStderr();
    ::testing::internal::CaptureStdout();
    state.guard().collect();
    // PUC Lua warns instead of raising it, newer LuaJIT tells a handler: all of it goes to the log.
    std::string said = ::testing::internal::GetCapturedStdout();
    said += ::testing::internal::GetCapturedStderr();
    EXPECT_NE(said.find("no luck"), std::string::npos) << said;
    EXPECT_TRUE(said.find("LUA ERROR: ") != said.npos || said.find("LUA WARNING: ") != said.npos)
        << said;
}

// The end of the program is no error of a script. The finalizer stands for the hook, which the
// engine asks between the finalizers only.
TEST_F(GuardTest, ARequestToQuitDuringACollectionIsNoError) {
    add_interruption();
    ASSERT_TRUE(
        init("collectgarbage('stop') local function f() interruption() error('INTERRUPT') end "
             "if newproxy then local p = newproxy(true) getmetatable(p).__gc = f "
             "else setmetatable({}, {__gc = f}) end"));
    ::testing::internal::CaptureStderr();
    state.guard().collect();
    alarm(0);
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

class NoLimitsDeathTest : public NoLimits {};

TEST_F(NoLimitsDeathTest, ARequestToQuitIsAlwaysHeard) {
    ASSERT_TRUE(init("function example() (('a'):rep(60)):find(('a-'):rep(30) .. 'b') end"));
    const auto interrupted_packet = [this] {
        std::thread soon([this] {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            state.guard().interrupt();
        });
        packet();
        soon.join();
    };
    EXPECT_EXIT(interrupted_packet(), ::testing::ExitedWithCode(Guard::exit_code),
                "instance example_1_1 cannot be interrupted");
}

// Nothing that a script catches holds the end up.
TEST_F(NoLimits, AnInterruptIsNotCaught) {
    add_interruption();
    ASSERT_TRUE(init(interpreted));
    const std::string log =
        in_timer("while true do pcall(function() pcall(interruption) while true do end end) end");
    alarm(0);
    EXPECT_NE(log.find("INTERRUPT"), std::string::npos) << log;
}

TEST(GuardDefaults, AreSane) {
    EXPECT_GE(default_memory_limit(), 16U);
    EXPECT_LE(default_memory_limit(), 256U);
}

// Forty processes that want the processor of this one, which so gets less than one part in twenty.
class BusyMachine {
  public:
    BusyMachine() {
        sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t one;
        CPU_ZERO(&one);
        for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
            if (CPU_ISSET(i, &before_)) CPU_SET(i, &one);
        sched_setaffinity(0, sizeof one, &one);
        for (pid_t& child : children_) {
            child = fork();
            if (child != 0) continue;
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            while (true) {
            }
        }
    }
    ~BusyMachine() {
        for (const pid_t child : children_) {
            if (child <= 0) continue;
            kill(child, SIGKILL);
            waitpid(child, nullptr, 0);
        }
        sched_setaffinity(0, sizeof before_, &before_);
    }

  private:
    cpu_set_t before_{};
    std::array<pid_t, 40> children_{};
};

class StarvedTest : public GuardTest {
  protected:
    StarvedTest() : GuardTest({10'000, 0, 500}) {}
};

// What computes has not waited, however long it takes: 0.1 s of work take about 4 s here.
TEST_F(StarvedTest, TheQueueForAProcessorIsNoWaiting) {
    if (access("/proc/thread-self/schedstat", R_OK) != 0)
        GTEST_SKIP() << "this kernel does not tell how long a thread queued (no schedstat)";
    const BusyMachine busy;
    EXPECT_EQ(in_timer("local t = os.clock() while os.clock() - t < 0.1 do end done = true"), "");
    EXPECT_TRUE(flag("done"));
}

} // namespace
} // namespace nfqws2::lua
