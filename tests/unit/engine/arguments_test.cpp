// Arguments of instances and their substitution at each call
// (docs/contracts/lua-bridge.md#arguments).
#include "machine.hpp"

namespace nfqws2::engine::test {
namespace {

// type and value of argument `a`
constexpr const char* show = R"lua(
function show(ctx, d) tell(type(d.arg.a), d.arg.a == d.dis and "dis" or d.arg.a) end
function tag(ctx, d) d.tag, d.list, d.no = "T", {1, 2, 3}, false end
number, fraction, text, yes, list, empty = 42, 1.5, "some text", true, {1, 2}, ""
func = "not me"
func_2 = print
)lua";

struct Case {
    const char* value;
    const char* expected; // "" = the packet passes without a call
};
constexpr Case cases[] = {
    {"plain", "string plain"},
    {"", "string "},
    {"a=b", "string a=b"},
    {"\\%x", "string %x"},
    {"\\#x", "string #x"},
    {"\\\\z", "string \\\\z"},
    {"x\\%y", "string x\\%y"},
    {"x%y", "string x%y"},
    {"%number", "string 42"},
    {"#number", "string 2"},
    {"%fraction", "string 1.5"},
    {"#fraction", "string 3"},
    {"%text", "string some text"},
    {"#text", "string 9"},
    {"%empty", "string "},
    {"#empty", "string 0"},
    {"%yes", "boolean true"},
    {"#yes", "string 0"},
    {"#list", "string 3"}, // set by the instance before
    {"%outgoing", "boolean true"},
    {"%replay", "boolean false"},
    {"%dis", "table dis"},
    {"#dis", "string 0"},
    {"%l7payload", "string unknown"},
    {"#l7payload", "string 7"},
    {"%profile_n", "string 1"},
    {"%tag", "string T"},     // set by the instance before
    {"%no", "boolean false"}, // false is a value, no reason to ask the globals
    {"#no", "string 0"},
    {"#fake_default_tls", "string 680"},
    {"%nothing", ""},
    {"#nothing", ""},
    {"%", ""},
    {"%reasm_data", ""},     // absent for UDP
    {"%func", "string tag"}, // of the instance before, not the global
    {"%func_n", "string 1"},
    {"%func_instance", "string tag_1_1"},
};

TEST(Arguments, SubstitutionTable) {
    for (const Case& c : cases) {
        Machine m({{"--lua-desync=tag", std::string("--lua-desync=show:a=") + c.value}, show, {}});
        ErrorText errors;
        const Outcome outcome = m.out(udp(client4, server4, "x"));
        EXPECT_TRUE(outcome.accepted());
        const bool failed = *c.expected == '\0';
        EXPECT_EQ(outcome.told, failed ? Lines{} : Lines{c.expected}) << c.value;
        EXPECT_EQ(errors.text().find(std::string("blob '") + (c.value + (failed ? 1 : 0)) +
                                     "' unavailable") != std::string::npos,
                  failed)
            << c.value;
    }
}

// The set instance `list` hides the global of the same name.
TEST(Arguments, FieldsOfThePacketComeBeforeGlobals) {
    Machine m(
        {{"--lua-desync=show:a=#list", "--lua-desync=tag", "--lua-desync=show:a=#list"}, show, {}});
    EXPECT_EQ(m.out(udp(client4, server4, "x")).told, (Lines{"string 2", "string 3"}));
}

TEST(Arguments, BlobsKeepTheirBytes) {
    Config config{{"--lua-desync=f:a=%mine:b=#mine"},
                  "function f(ctx, d) tell(d.arg.a == 'a\\0b', d.arg.b, d.arg.a == mine) end",
                  {}};
    config.options.blobs.push_back({"mine", {'a', 0, 'b'}});
    Machine m(config);
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "true 3 true");
}

TEST(Arguments, FirstOfEqualNamesWins) {
    Machine m({{"--lua-desync=show:a=1:a=2:b=3"}, show, {}});
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "string 1");
}

TEST(Arguments, AreResolvedAgainForEachCall) {
    Machine m({{"--lua-desync=f:a=%n"},
               "n = 1 function f(ctx, d) tell(d.arg.a) n = n + 1 d.arg.a = 'spoilt' end",
               {}});
    for (const char* expected : {"1", "2", "3"})
        EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), expected);
}

TEST(Arguments, FunctionNumberIsThatOfThePreviousInstance) {
    const std::vector<std::string> words{"--lua-desync=show:a=%func_n"};
    ErrorText errors;
    Machine first({words, "function show(ctx, d) tell(d.arg.a) end", {}});
    EXPECT_EQ(first.out(udp(client4, server4, "x")).told, Lines{}); // unavailable
    Machine second(
        {{"--lua-desync=pass", words[0], words[0]}, "function show(ctx, d) tell(d.arg.a) end", {}});
    EXPECT_EQ(second.out(udp(client4, server4, "x")).told, (Lines{"1", "2"}));
    EXPECT_EQ(first.engine->counters().lua_errors, 1U);
}

TEST(Arguments, UnavailableValueStopsTheChainAndForgetsVerdicts) {
    Machine m(
        {{"--lua-desync=drop", "--lua-desync=show:a=%nothing", "--lua-desync=drop"}, show, {}});
    m.in(udp(server4, client4, "first"));
    ErrorText errors;
    EXPECT_TRUE(m.in(udp(server4, client4, "x")).accepted());
    EXPECT_TRUE(m.out(udp(client4, server4, "x")).accepted());
}

// Scripts that guard undefined names are common; what such a guard raises is the script's error,
// not the end of the program.
TEST(Arguments, GuardedGlobalsAreAskedSafely) {
    const std::string guard = "setmetatable(_G, {__index = function(_, k) "
                              "error('undefined ' .. tostring(k)) end})";
    Machine m({{"--lua-desync=show:a=%nothing"}, show + guard, {}});
    ErrorText errors;
    EXPECT_TRUE(m.out(udp(client4, server4, "x")).accepted());
    EXPECT_NE(errors.text().find("undefined nothing"), std::string::npos);
    EXPECT_EQ(m.engine->counters().lua_errors, 1U);

    Machine removed({{"--lua-desync=show"}, show + guard + "function show() show = nil end", {}});
    EXPECT_TRUE(removed.out(udp(client4, server4, "x")).accepted());
    ErrorText more;
    EXPECT_TRUE(removed.out(udp(client4, server4, "x")).accepted());
    EXPECT_NE(more.text().find("undefined show"), std::string::npos);
    // Names that a metatable provides are as good as others.
    Machine lazy(
        {{"--lua-desync=show:a=%lazy"},
         show + std::string("setmetatable(_G, {__index = function(_, k) return 'made ' .. k "
                            "end})"),
         {}});
    EXPECT_EQ(lazy.out(udp(client4, server4, "x")).line(), "string made lazy");
}

TEST(Arguments, MetatableOfTheDesyncTableDoesNoHarm) {
    Machine m({{"--lua-desync=f", "--lua-desync=show:a=%nothing", "--lua-desync=show:a=b"},
               show + std::string(R"lua(
        function f(ctx, d)
            setmetatable(d, {__index = function(_, k) error("no field " .. k) end,
                __newindex = function() error("read only") end})
        end)lua"),
               {}});
    ErrorText errors;
    EXPECT_TRUE(m.out(udp(client4, server4, "x")).accepted());
    EXPECT_NE(errors.text().find("no field nothing"), std::string::npos);
    EXPECT_EQ(m.engine->counters().lua_errors, 1U);
}

TEST(Arguments, BigNumbersOfArguments) {
    std::string word = "--lua-desync=f";
    for (int i = 1; i <= 300; i++)
        word += ":a" + std::to_string(i) + "=#text";
    Machine m({{word},
               "text = 'abc' function f(ctx, d) local n = 0 for k, v in pairs(d.arg) do "
               "n = n + v end tell(n) end",
               {}});
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "900");
}

} // namespace
} // namespace nfqws2::engine::test
