// What rules decide of a packet leaves with the verdict of the rest of the pipeline, and scripts
// see it (docs/rules.md#place).
#include "tls_client.hpp"

namespace nfqws2::engine::test {
namespace {

const std::string translate = "[[profile]]\n[[profile.rule]]\nmatch = [ { src = \"10.1.0.1\" } ]\n"
                              "action = [ { snat = \"192.0.2.7\" }, { mark = { value = 5 } }, "
                              "{ mark = { how = \"save\" } } ]\n";

std::string source_of(Bytes packet) {
    return IpAddress::v4(packet.data() + 12).text();
}

TEST(RulesStage, WhatTheyChangeLeavesThoughNobodyElseChangesIt) {
    Machine machine({{"--lua-desync=pass"}, "", {}, translate});
    const Outcome outcome = machine.out(udp(client4, server4, "hello"));
    ASSERT_TRUE(outcome.modified());
    EXPECT_EQ("192.0.2.7", source_of(outcome.data));
    EXPECT_EQ(std::optional<std::uint32_t>(5), machine.new_mark);
}

TEST(RulesStage, AScriptsPacketIsTheTranslatedOne) {
    Machine machine({{"--payload=all", "--lua-desync=modify"}, "", {}, translate});
    const Outcome outcome = machine.out(udp(client4, server4, "hello"));
    ASSERT_TRUE(outcome.modified());
    EXPECT_EQ("192.0.2.7", source_of(outcome.data));
    EXPECT_EQ(std::optional<std::uint32_t>(5), machine.new_mark);
}

TEST(RulesStage, APacketThatIsNotJudgedKeepsNothingOfTheOneBefore) {
    Machine machine({{"--lua-desync=pass"}, "", {}, translate});
    machine.out(udp(client4, server4, "hello"));
    const Buffer other = udp(client4, server4, "other");
    const Outcome own = machine.process(other, "", "eth0", Machine::mark);
    EXPECT_TRUE(own.accepted());
    EXPECT_EQ(std::nullopt, machine.new_mark);
    const Outcome reply = machine.in(udp(server4, client4, "hello"));
    EXPECT_TRUE(reply.accepted());
    EXPECT_EQ(std::nullopt, machine.new_mark);
}

TEST(RulesStage, ADroppedPacketMakesNoFlow) {
    Machine machine(
        {{"--lua-desync=pass"},
         "",
         {},
         "[[profile]]\n[[profile.rule]]\nmatch = [ { dport = 443 } ]\naction = [ \"drop\" ]\n"});
    EXPECT_TRUE(machine.out(udp(client4, server4, "hello")).dropped());
    EXPECT_EQ(0U, machine.engine->flows());
    EXPECT_TRUE(machine.in(udp(server4, client4, "hello")).accepted());
    EXPECT_EQ(1U, machine.engine->flows());
}

// Every second packet: the hello's pieces come fourth and fifth.
TEST(RulesStage, AHeldPacketKeepsWhatWasSaidOfIt) {
    Config config{{"--payload=tls_client_hello", "--lua-desync=show_rules"},
                  "function show_rules(ctx, d) tell(d.rules.profile, d.rules.register, "
                  "d.rules.hits[1], #d.rules.hits, d.replay_piece) end",
                  {},
                  "[[profile]]\nname = \"all\"\n[[profile.rule]]\nname = \"second\"\n"
                  "action = [ { sample = { n = 2 } } ]\n"};
    Client c(config);
    expect_held(c.part(0, 700));
    EXPECT_EQ((Lines{"all sample:match second 1 1", "all sample:skip second 1 2"}),
              c.part(700, 1115).told);
}

TEST(RulesStage, WithoutRulesScriptsSeeNone) {
    Machine machine({{"--payload=all", "--lua-desync=show_rules"},
                     "function show_rules(ctx, d) tell(d.rules) end",
                     {}});
    EXPECT_EQ("nil", machine.out(udp(client4, server4, "hello")).line());
}

} // namespace
} // namespace nfqws2::engine::test
