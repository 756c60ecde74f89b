// Marks of traffic rules, checks of rules, and what was counted (docs/lua-api.md#traffic-rules).
#include "../fixture.hpp"
#include "lua/desync_call.hpp"
#include "nfqws2/rules/compile.hpp"
#include "nfqws2/rules/statistics.hpp"

namespace nfqws2::lua {
namespace {

constexpr std::string_view rules_text = R"(version = 1
[[profile]]
name = "web"
[[profile.rule]]
match = [ { protocol = "udp" } ]
action = [ { stats = "UDP" }, { ratelimit = { id = 8, pps = { rate = 5 } } }, "drop" ]
)";

class RulesApi : public ApiTest {
  protected:
    RulesApi() : loaded_(services(), {}) {
        EXPECT_TRUE(loaded_.open({}, {}, false));
        used = loaded_.lua();
    }

    std::unique_ptr<rules::Tables> tables;
    std::unique_ptr<rules::Judge> judge;

  private:
    Services services() {
        const rules::Compiled compiled = rules::compile_text(rules_text, "test.toml");
        if (compiled.program == nullptr) return with(nullptr);
        tables = std::make_unique<rules::Tables>(*compiled.program, rules::TableSetup{});
        std::string error;
        std::vector<std::string> warnings;
        judge = std::make_unique<rules::Judge>(*tables, random, [](Bytes) {});
        judge->replace(
            rules::bring_in_force(compiled.program, *tables, nullptr, &error, &warnings));
        Services result = with(nullptr);
        result.rule_tables = tables.get();
        result.rule_statistics = [this] {
            const rules::Judge* one = judge.get();
            return rules::statistics(std::span(&one, 1), *tables, 1700000000);
        };
        return result;
    }

    State loaded_;
};

TEST_F(ApiTest, WithoutRulesTheirFunctionsSaySo) {
    EXPECT_EQ(run("rule_mark('hmark', 1, 'abcd')"), "test:1: rule_mark: rules are not loaded");
    EXPECT_EQ(run("rule_mark_set('hmark', 1, 2, 3, 'abcd')"),
              "test:1: rule_mark_set: rules are not loaded");
    EXPECT_EQ(run("rule_mark_del('hmark', 1, 'abcd')"),
              "test:1: rule_mark_del: rules are not loaded");
    EXPECT_EQ(run("rules_stats()"), "test:1: rules_stats: rules are not loaded");
    EXPECT_EQ(eval("rules_check('version = 1')"), "true");
}

TEST_F(RulesApi, MarksAreWrittenReadAndErased) {
    EXPECT_EQ(eval("rule_mark('hmark', 5, '\\10\\0\\0\\1')"), "nil");
    EXPECT_EQ(eval("rule_mark_set('hmark', 5, 7, 60, '\\10\\0\\0\\1')"), "true");
    clock.advance_to(clock.boot_ns() + 1'500'000'000);
    EXPECT_EQ(run("v, s, a = rule_mark('hmark', 5, '\\10\\0\\0\\1')"), "");
    EXPECT_EQ(eval("v .. ' ' .. s .. ' ' .. a"), "7 valid 1.5");
    EXPECT_EQ(eval("rule_mark('hmark', 6, '\\10\\0\\0\\1')"), "nil");
    EXPECT_EQ(eval("rule_mark('dhmark', 5, '\\10\\0\\0\\1')"), "nil");
    clock.advance_to(clock.boot_ns() + 60'000'000'000);
    EXPECT_EQ(eval("select(2, rule_mark('hmark', 5, '\\10\\0\\0\\1'))"), "expired");
    EXPECT_EQ(eval("rule_mark_del('hmark', 5, '\\10\\0\\0\\1')"), "true");
    EXPECT_EQ(eval("rule_mark_del('hmark', 5, '\\10\\0\\0\\1')"), "false");
    EXPECT_EQ(eval("rule_mark_set('sdmark', 1, 4294967295, nil, ('a'):rep(16), ('b'):rep(16))"),
              "true");
    EXPECT_EQ(eval("rule_mark('sdhmark', 1, ('a'):rep(16), ('b'):rep(16))"), "4294967295");
    EXPECT_EQ(eval("rule_mark('sdhmark', 1, ('b'):rep(16), ('a'):rep(16))"), "nil");
}

TEST_F(RulesApi, WhatRulesMarkIsSeenAndTheOtherWayRound) {
    const IpAddress address = *IpAddress::parse("192.0.2.1");
    EXPECT_EQ(eval("rule_mark_set('dhmark', 5, 1, 60, pton('192.0.2.1'))"), "true");
    EXPECT_EQ(tables->marks.find(tables->marks.destination(5, address), clock.boot_ns()).value, 1U);
    tables->marks.write(tables->marks.source(9, address), rules::MarkHow::set, 3, 0,
                        clock.boot_ns());
    EXPECT_EQ(eval("rule_mark('hmark', 9, pton('192.0.2.1'))"), "3");
}

TEST_F(RulesApi, BadArgumentsAreNamed) {
    EXPECT_EQ(run("rule_mark('mark', 1, 'abcd')"),
              "test:1: bad argument #1 to 'rule_mark' (hmark, dhmark, sdhmark or connmark "
              "expected)");
    EXPECT_EQ(run("rule_mark('hmark', 0, 'abcd')"), "test:1: out of range");
    EXPECT_EQ(run("rule_mark('hmark', 256, 'abcd')"), "test:1: out of range");
    EXPECT_EQ(run("rule_mark('hmark', 1, 'abc')"),
              "test:1: bad argument #3 to 'rule_mark' (an address of 4 or 16 bytes expected)");
    EXPECT_EQ(run("rule_mark('sdmark', 1, 'abcd')"),
              "test:1: bad argument #4 to 'rule_mark' (string expected, got no value)");
    EXPECT_EQ(run("rule_mark('sdmark', 1, 'abcd', ('x'):rep(16))"),
              "test:1: bad argument #4 to 'rule_mark' (an address of the same family expected)");
    EXPECT_EQ(run("rule_mark('connmark', 1, nil)"), "test:1: missing ctx");
    EXPECT_EQ(run("rule_mark('connmark', 1, 'abcd')"),
              "test:1: bad argument #3 to 'rule_mark' (desync_ctx expected, got string)");
    EXPECT_EQ(run("rule_mark_set('hmark', 1, -1, 0, 'abcd')"), "test:1: out of range");
    EXPECT_EQ(run("rule_mark_set('hmark', 1, 1, -1, 'abcd')"),
              "test:1: bad argument #4 to 'rule_mark_set' (out of range)");
    EXPECT_EQ(run("rule_mark_set('hmark', 1, 1, 0/0, 'abcd')"),
              "test:1: bad argument #4 to 'rule_mark_set' (out of range)");
}

TEST_F(RulesApi, ATextIsCheckedWithPlaces) {
    EXPECT_EQ(eval("rules_check('version = 1')"), "true");
    EXPECT_EQ(run("ok, errors = rules_check('version = 1\\npolicy = \"dorp\"')"), "");
    EXPECT_EQ(eval("tostring(ok) .. #errors .. ' ' .. errors[1].line .. ':' .. errors[1].column"),
              "nil1 2:10");
    EXPECT_NE(eval("errors[1].text").find("dorp"), std::string::npos);
}

// A script might learn of files that it may not open.
TEST_F(RulesApi, ACheckOpensNoFile) {
    EXPECT_EQ(run("ok, errors = rules_check('version = 1\\ninclude = [\"/etc/passwd\"]')"), "");
    EXPECT_EQ(eval("errors[1].text"), "no file is read here: '/etc/passwd'");
    EXPECT_EQ(eval("rules_check('version = 1\\n[set.a]\\nfile = \"/dev/zero\"')"), "true");
}

TEST_F(RulesApi, ATableIsCheckedAsATextIs) {
    EXPECT_EQ(eval(R"(rules_check{ version = 1, profile = { { name = "a", rule = {
                      { match = { { dport = { 53, "60-70" } } }, action = { "drop" }, enabled = true } } } } })"),
              "true");
    EXPECT_EQ(run(R"(ok, errors = rules_check{ version = 1, profile = { { rule = {
                     { match = { { dport = 70000 } }, action = { "drop" } } } } } })"),
              "");
    EXPECT_EQ(eval("tostring(ok) .. #errors .. type(errors[1].line)"), "nil1nil");
    EXPECT_EQ(eval("errors[1].text:match(\"^in rule '1/main#1'\") ~= nil"), "true");
    EXPECT_EQ(eval("rules_check{ version = 1.5 }"), "nil");
    EXPECT_EQ(eval("rules_check{}"), "nil");
    EXPECT_EQ(eval("rules_check{ version = 1, [7] = 2 }"),
              "ERROR test:1: rules_check: a key of a table is no string");
    EXPECT_EQ(run("loop = { version = 1 } loop.profile = { loop } rules_check(loop)"),
              "test:1: rules_check: the table is too large or too deep");
}

TEST_F(RulesApi, StatisticsAreATable) {
    std::vector<std::uint8_t> udp = {0x45, 0, 0,   28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0,
                                     0,    1, 192, 0,  2, 1, 0, 1, 0,  2,  0, 8, 0,  0};
    rules::Subject subject;
    subject.packet = udp;
    for (int i = 0; i < 7; i++)
        (void)judge->judge(subject);
    EXPECT_EQ(run("s = rules_stats()"), "");
    EXPECT_EQ(eval("s.t .. ' ' .. s.packets .. ' ' .. s.dropped"), "1700000000 7 7");
    EXPECT_EQ(eval("s.rules[1].name .. s.rules[1].packets .. s.rules[1].chain"), "web/main#17main");
    EXPECT_EQ(eval("s.counters.UDP.bytes"), "196");
    EXPECT_EQ(eval("s.meters.ratelimit[8].exceed .. ' ' .. s.meters.buckets"), "2 1");
    EXPECT_EQ(eval("s.meters.ratelimit[8].buckets"), "1");
    EXPECT_EQ(eval("s.marks.entries .. tostring(s.observe)"), "0false");
}

} // namespace
} // namespace nfqws2::lua
