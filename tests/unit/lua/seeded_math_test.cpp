// One seed, one result: the numbers here are the same on every processor and with every engine.
#include "fixture.hpp"
#include "lua/seeded_math.hpp"

namespace nfqws2::lua {
namespace {

class SeededMath : public ApiTest {
  protected:
    SeededMath() { seed_math_library(state); }
};

TEST_F(SeededMath, NumbersAreFixed) {
    EXPECT_EQ(eval("math.random(1, 0xFFFF)"), "46067");
    EXPECT_EQ(eval("math.random(6)"), "5");
    EXPECT_EQ(eval("math.random(-5, 5)"), "4");
    EXPECT_EQ(eval("math.random(1, 0xFFFFFFFF)"), "1680743548");
    EXPECT_EQ(eval("math.random(-2^52, 2^52)"), "-1.91723574263823e+15");
    EXPECT_EQ(eval("math.random()"), "0.0710452160692123");
    EXPECT_EQ(eval("math.random(7, 7)"), "7");
}

TEST_F(SeededMath, TheScriptCannotSeed) {
    const std::string first = eval("math.random(1e9)");
    random.seed(1);
    EXPECT_EQ(run("math.randomseed(5)"), "");
    EXPECT_EQ(eval("math.random(1e9)"), first);
}

TEST_F(SeededMath, EveryNumberOfTheIntervalComesAndNoOther) {
    EXPECT_EQ(run("seen = {} for i = 1, 1000 do seen[math.random(3, 8)] = true end"), "");
    for (const char* number : {"3", "4", "5", "6", "7", "8"})
        EXPECT_EQ(eval(format("seen[%s]", number)), "true") << number;
    EXPECT_EQ(run("for n in pairs(seen) do assert(n >= 3 and n <= 8) end"), "");
    EXPECT_EQ(run("for i = 1, 1000 do local x = math.random() assert(x >= 0 and x < 1) end"), "");
}

TEST_F(SeededMath, WrongBoundsAreRefusedAsByTheEngine) {
    EXPECT_EQ(run("math.random(2, 1)"), "test:1: bad argument #2 to 'random' (interval is empty)");
    EXPECT_EQ(run("math.random(-1)"), "test:1: bad argument #1 to 'random' (interval is empty)");
    EXPECT_EQ(run("math.random(1, 2, 3)"), "test:1: wrong number of arguments");
    EXPECT_EQ(run("math.random('x')"),
              "test:1: bad argument #1 to 'random' (number expected, got string)");
#if LUA_VERSION_NUM >= 503
    EXPECT_EQ(run("math.random(1.5)"),
              "test:1: bad argument #1 to 'random' (number has no integer representation)");
#else
    EXPECT_EQ(run("for i = 1, 99 do local x = math.random(1, 2.5) assert(x == 1 or x == 2) end"),
              "");
    EXPECT_EQ(run("math.random(0/0)"), "test:1: bad argument #1 to 'random' (interval is empty)");
    EXPECT_EQ(run("assert(math.random(-math.huge, 5) < 5) math.random(math.huge)"), "");
#endif
}

} // namespace
} // namespace nfqws2::lua
