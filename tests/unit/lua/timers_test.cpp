#include "fixture.hpp"

#include <limits>

namespace nfqws2::lua {
namespace {

class TimerTest : public ApiTest {
  protected:
    TimerTest() { EXPECT_EQ(run("log = '' function note(x) log = log .. x .. ' ' end"), ""); }

    std::int64_t now() const { return clock.boot_ms() - base_; }
    // Advances the clock to `ms` after the start and runs one pass.
    unsigned pass(std::int64_t ms) {
        clock.advance_to(start_ns + ms * 1'000'000);
        return state.run_timers();
    }
    // Passes whenever something is due, up to `ms`.
    unsigned run_until(std::int64_t ms) {
        unsigned failures = 0;
        while (state.timers().next_due_ms() <= base_ + ms)
            failures += pass(state.timers().next_due_ms() - base_);
        return failures;
    }
    std::string noted() { return eval("log"); }

    std::int64_t base_ = VirtualClock(start_ns).boot_ms();
};

TEST_F(TimerTest, OneShotThatRearmsItself) {
    EXPECT_EQ(run("timer_set('t', function() note('first') "
                  "timer_set('t', function() note('second') end, 20, true) end, 10, true)"),
              "");
    pass(9);
    EXPECT_EQ(noted(), "");
    pass(10);
    EXPECT_EQ(noted(), "first ");
    pass(29);
    EXPECT_EQ(noted(), "first ");
    pass(30);
    EXPECT_EQ(noted(), "first second ");
    EXPECT_TRUE(state.timers().empty());
}

TEST_F(TimerTest, ErrorDeletesTheTimer) {
    EXPECT_EQ(run("timer_set('err', function() note('err') error('boom') end, 60)"), "");
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(run_until(300), 1U);
    const std::string errors = ::testing::internal::GetCapturedStderr();
    EXPECT_NE(errors.find("LUA ERROR: test:1: boom"), std::string::npos) << errors;
    EXPECT_NE(errors.find("err"), std::string::npos);
    EXPECT_EQ(noted(), "err ");
    EXPECT_TRUE(state.timers().empty());
}

TEST_F(TimerTest, ReplacedInsideItsCallback) {
    EXPECT_EQ(run("timer_set('rep', function(name, data) note(name .. data) "
                  "timer_set('rep', function(n, d) note(n .. d) timer_del(n) end, 30, false, 'B') "
                  "error('ignored for the new one') end, 40, false, 'A')"),
              "");
    ::testing::internal::CaptureStderr();
    run_until(40);
    ::testing::internal::GetCapturedStderr();
    EXPECT_FALSE(state.timers().empty()) << "the new timer outlives the error of the old callback";
    EXPECT_EQ(state.timers().next_due_ms() - base_, 70);
    run_until(200);
    EXPECT_EQ(noted(), "repA repB ");
}

TEST_F(TimerTest, PeriodicUntilDeleted) {
    EXPECT_EQ(run("n = 0 timer_set('p', function() n = n + 1 note(n) "
                  "assert(timer_info('p').fires == n) if n == 3 then timer_del('p') end end, 50)"),
              "");
    run_until(1000);
    EXPECT_EQ(noted(), "1 2 3 ");
    EXPECT_EQ(now(), 150);
}

TEST_F(TimerTest, LateTimersFireOnceAndHaveNoGrid) {
    EXPECT_EQ(run("timer_set('p', function() note('x') end, 50)"), "");
    pass(220);
    EXPECT_EQ(noted(), "x ");
    EXPECT_EQ(state.timers().next_due_ms() - base_, 270);
    EXPECT_EQ(pass(220), 0U);
    EXPECT_EQ(noted(), "x ");
}

TEST_F(TimerTest, CreationOrderDecides) {
    EXPECT_EQ(
        run("for _, n in ipairs { 'c', 'a', 'b' } do timer_set(n, note, n == 'c' and 30 or 10) "
            "end timer_set('a', note, 20)"),
        "");
    EXPECT_EQ(eval("table.concat(timer_enum(), ',')"), "c,b,a");
    pass(100);
    EXPECT_EQ(noted(), "c b a ");
}

TEST_F(TimerTest, DeletedByAnEarlierCallback) {
    EXPECT_EQ(
        run("timer_set('a', function() note('a') timer_del('b') timer_set('d', note, 10) end, "
            "10) timer_set('b', note, 10) timer_set('c', note, 10)"),
        "");
    pass(1000);
    EXPECT_EQ(noted(), "a c ") << "a new timer does not fire in the same pass";
    EXPECT_EQ(eval("table.concat(timer_enum(), ',')"), "a,c,d");
}

TEST_F(TimerTest, RearmingCannotHoldThePass) {
    EXPECT_EQ(run("function again(name) note('x') timer_set(name, again, 10) end "
                  "timer_set('t', again, 10)"),
              "");
    // The clock stands still while the pass believes that much time has gone by.
    EXPECT_EQ(state.timers().run_due(L(), base_ + 100000), 0U);
    EXPECT_EQ(noted(), "x ");
}

TEST_F(TimerTest, OneShotIsListedDuringItsCall) {
    EXPECT_EQ(run("timer_set('o', function(n) note(timer_info(n).fires) end, 10, true)"), "");
    pass(10);
    EXPECT_EQ(noted(), "1 ");
    EXPECT_EQ(eval("timer_info('o')"), "nil");
}

TEST_F(TimerTest, FunctionByNameIsResolvedAtOnce) {
    EXPECT_EQ(run("function f(n, d) note(n .. tostring(d)) end timer_set('t', 'f', 10) f = nil"),
              "");
    EXPECT_EQ(eval("type(timer_info('t').func)"), "function");
    pass(10);
    EXPECT_EQ(noted(), "tnil ");
}

TEST_F(TimerTest, ArgumentChecksInTheirOrder) {
    EXPECT_EQ(run("timer_set('x', 5, 9)"), "test:1: invalid timer period. must be >=10 ms");
    EXPECT_EQ(run("timer_set('x', 5, 10)"), "test:1: invalid timer function type");
    EXPECT_EQ(run("timer_set('x', 'nosuch', 10)"),
              "test:1: timer function 'nosuch' does not exist");
    EXPECT_EQ(run("timer_set('x', print)"),
              "test:1: timer_set expect from 3 to 5 arguments, got 2");
    EXPECT_EQ(run("timer_set({}, print, 10)"),
              "test:1: bad argument #1 to 'timer_set' (string expected, got table)");
    EXPECT_TRUE(state.timers().empty());
}

TEST_F(TimerTest, NamesMayHoldNul) {
    EXPECT_EQ(
        run("timer_set('a\\0b', print, 10) timer_set('a', print, 10) timer_set(5, print, 10)"), "");
    EXPECT_EQ(eval("#timer_enum()"), "3");
    EXPECT_EQ(eval("timer_info('a\\0b').name == 'a\\0b'"), "true");
    EXPECT_EQ(eval("timer_del('5')"), "true");
}

TEST_F(TimerTest, HugePeriodsDoNotOverflow) {
    EXPECT_EQ(run("timer_set('t', print, 9e18)"), "");
    EXPECT_GT(state.timers().next_due_ms(), clock.boot_ms());
}

TEST_F(TimerTest, NothingIsDueWithoutTimers) {
    EXPECT_EQ(state.timers().next_due_ms(), std::numeric_limits<std::int64_t>::max());
}

// Periods 10 to 999 ms, half of them once only, in the virtual clock.
TEST_F(TimerTest, TenThousandTimers) {
    EXPECT_EQ(run("fired, wrong, order = {}, 0, 0 "
                  "function hit(name, data) "
                  "  fired[data] = (fired[data] or 0) + 1 "
                  "  if pass_ ~= last then last, order = pass_, 0 end "
                  "  if data <= order then wrong = wrong + 1 end order = data end "
                  "for i = 1, 10000 do timer_set('t' .. i, hit, 10 + i * 7 % 990, i % 2 == 0, i) "
                  "end"),
              "");
    EXPECT_EQ(eval("#timer_enum()"), "10000");
    for (int ms = 10; ms <= 2000; ms++) { // a pass at each millisecond
        lua_pushnumber(L(), ms);
        lua_setglobal(L(), "pass_");
        pass(ms);
    }
    EXPECT_EQ(eval("wrong"), "0") << "within a pass they fire in order of creation";
    EXPECT_EQ(eval("#timer_enum()"), "5000");
    EXPECT_EQ(run("for i = 1, 10000 do local period = 10 + i * 7 % 990 "
                  "assert(fired[i] == (i % 2 == 0 and 1 or math.floor(2000 / period)), i) end"),
              "");
    EXPECT_EQ(run("for _, name in ipairs(timer_enum()) do assert(timer_del(name)) end"), "");
    EXPECT_TRUE(state.timers().empty());
}

// Replacing and deleting ten thousand timers from one callback must not take quadratic time.
TEST_F(TimerTest, TenThousandChangesInACallback) {
    EXPECT_EQ(run("for i = 1, 10000 do timer_set('t' .. i, note, 10) end "
                  "timer_set('judge', function() for i = 1, 10000 do "
                  "if i % 2 == 0 then timer_del('t' .. i) else timer_set('t' .. i, note, 50) end "
                  "end end, 10, true)"),
              "");
    // Made anew, they stand behind the judge.
    EXPECT_EQ(run("for i = 1, 10000 do timer_set('t' .. i, note, 10) end"), "");
    pass(10);
    EXPECT_EQ(noted(), "");
    EXPECT_EQ(eval("#timer_enum()"), "5000");
    EXPECT_EQ(eval("timer_enum()[1] .. timer_enum()[5000]"), "t1t9999");
    EXPECT_EQ(eval("timer_info('t9999').period"), "50");
}

TEST_F(TimerTest, ReferencesAreGivenBack) {
    EXPECT_EQ(run("weak = setmetatable({}, { __mode = 'k' }) do local f, d = function() end, {} "
                  "weak[f], weak[d] = 1, 1 timer_set('t', f, 10, false, d) end "
                  "collectgarbage() collectgarbage()"),
              "");
    const auto alive = [&] {
        return eval("(function() collectgarbage() collectgarbage() local n = 0 "
                    "for _ in pairs(weak) do n = n + 1 end return n end)()");
    };
    EXPECT_EQ(alive(), "2");
    EXPECT_EQ(run("timer_del('t')"), "");
    EXPECT_EQ(alive(), "0");
}

} // namespace
} // namespace nfqws2::lua
