#include "../fixture.hpp"

namespace nfqws2::lua {
namespace {

class StoreApi : public ApiTest {
  protected:
    void holds(const char* code) { EXPECT_EQ(run(code), "") << code; }
};

TEST_F(StoreApi, GetsWhatWasSet) {
    holds("s = store('a'); assert(s:get('k') == nil)");
    holds("assert(s:set('k', {n = 1.5, t = 'x', number_as_text = '12'}) == true)");
    holds("local r = s:get('k'); assert(r.n == 1.5 and r.t == 'x' and r.number_as_text == '12')");
    holds("assert(type(s:get('k').number_as_text) == 'string')");
    holds("s:set(7, {}); assert(next(s:get('7')) == nil)");
    holds("assert(s:count() == 2); s:delete('k'); assert(s:get('k') == nil and s:count() == 1)");
}

// Scripts make keys and texts of them.
TEST_F(StoreApi, WholeNumbersReadAsSuch) {
    holds("s = store('a'); s:set('k', {n = 2, big = 2^53, far = 2^60})");
    holds("local r = s:get('k'); assert(tostring(r.n) == '2' and r.n .. '/' == '2/')");
    holds("local r = s:get('k'); assert(r.big == 2^53 and r.far == 2^60)");
    holds("assert(tostring(s:add('k', 'n', 1)) == '3')");
}

TEST_F(StoreApi, IsSharedByName) {
    holds("store('a'):set('k', {n = 1}); assert(store('a'):get('k').n == 1)");
    holds("assert(store('b'):get('k') == nil)");
}

TEST_F(StoreApi, Adds) {
    holds("s = store('a'); assert(s:add('k', 'n', 2) == 2 and s:add('k', 'n', -0.5) == 1.5)");
    holds("s:set('t', {x = 'text'}); local r, why = s:add('t', 'x', 1); "
          "assert(r == nil and why == 'the field is a text')");
}

TEST_F(StoreApi, RefusesWithAMessage) {
    holds("s = store('a')");
    for (const char* call :
         {"store('A')", "store('')", "s:set('', {})", "s:set(('k'):rep(256), {})",
          "s:set('k', {[1] = 2})", "s:set('k', {x = true})", "s:set('k', {x = {}})",
          "s:set('k', {x = ('v'):rep(256)})", "s:set('k', {['a b'] = 1})", "s:add('', 'n', 1)"})
        EXPECT_EQ(run((std::string("local r, why = ") + call +
                       "; assert(r == nil and type(why) == 'string' and #why > 0)")
                          .c_str()),
                  "")
            << call;
    holds("local t = {}; for i = 1, 17 do t['f' .. i] = i end; "
          "local r, why = s:set('k', t); assert(r == nil and why == 'more than 16 fields')");
    holds("assert(s:count() == 0)");
}

TEST_F(StoreApi, WrongUseIsAnError) {
    holds("s = store('a')");
    for (const char* call : {"store()", "store(1, 2)", "s.get(1, 'k')", "s.get(io.stdout, 'k')",
                             "s:get()", "s:set('k')", "s:set('k', 1)", "s:set('k', {}, -1)",
                             "s:each()", "s:each('x', 1)", "s:add('k', 'n', 'x')", "s:count(1)"})
        EXPECT_NE(run(call), "") << call;
}

TEST_F(StoreApi, ExpiresByTheClockOfTheProgram) {
    holds("s = store('a'); s:set('k', {}, 10); s:set('f', {}, 0)");
    clock.advance_to(clock.unix_ns() + 11'000'000'000);
    holds("assert(s:get('k') == nil and s:get('f') ~= nil)");
}

TEST_F(StoreApi, EachSeesTheKeysOfItsBeginning) {
    holds("s = store('a'); for _, k in ipairs{'x/2', 'x/1', 'y'} do s:set(k, {k = k}) end");
    holds("local seen = ''; s:each('x/', function(k, r) seen = seen .. k .. '=' .. r.k .. ' ' "
          "s:set('x/3', {}); s:delete('x/2') end); assert(seen == 'x/1=x/1 ', seen)");
    holds("local n = 0; s:each(function() n = n + 1 end); assert(n == 3)");
    EXPECT_NE(run("s:each(function() error('no more') end)").find("no more"), std::string::npos);
}

// The metatable is a way to functions that trust their argument.
TEST_F(StoreApi, HidesItsMetatable) {
    holds("assert(getmetatable(store('a')) == 'userdata_store')");
    holds("assert(not pcall(setmetatable, store('a'), {}))");
}

} // namespace
} // namespace nfqws2::lua
