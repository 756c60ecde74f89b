// Profiles that replace others in a running engine (docs/control.md#reload).
#include "tls_client.hpp"

#include "nfqws2/lua/eras.hpp"

namespace nfqws2::engine::test {
namespace {

using Next = Engine::NextProfiles;

const std::string script =
    "function say(ctx, desync) tell(desync.arg.text, desync.profile_name or '-', b) end "
    "function once(ctx, desync) tell('once') instance_cutoff(ctx) end "
    "function slow(ctx, desync) lua_cutoff(ctx) tell('slow') end";

Next next_of(Machine& m, const std::vector<std::string>& options) {
    profile::testing::Options words(m.lists);
    EXPECT_TRUE(words.parse(options)) << words.error;
    Next next;
    next.profiles =
        profile::next_generation(std::move(words.built.profiles), *m.profiles->generation());
    return next;
}

std::string prepare(Machine& m, const Next& next) {
    std::string error;
    m.engine->begin_profiles(next);
    Engine::Prepared prepared = Engine::Prepared::more;
    while (prepared == Engine::Prepared::more)
        prepared = m.engine->prepare_profiles(&error);
    EXPECT_EQ(prepared == Engine::Prepared::failed, !error.empty());
    return error;
}

void replace(Machine& m, const Next& next) {
    std::string error;
    ASSERT_EQ(prepare(m, next), "");
    EXPECT_TRUE(m.engine->adopt_profiles(next, &error)) << error;
}

TEST(EngineReload, FlowsChooseAgain) {
    Machine m({{"--name=old", "--lua-desync=say:text=one"}, script, {}});
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "one old nil");
    replace(m, next_of(m, {"--filter-tcp=1", "--new=new", "--lua-desync=say:text=two"}));
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "two new nil");
    EXPECT_EQ(m.engine->flows_seen(), 1U);
    EXPECT_EQ(m.engine->counts_of(2).flows, 1U);
    EXPECT_EQ(m.engine->counts_of(1).packets, 0U); // another profile has this number now
    EXPECT_TRUE(m.engine->drop_old_profiles());
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "two new nil");
}

TEST(EngineReload, WhatRunsTheSameGoesOn) {
    Machine m({{"--lua-desync=once", "--lua-desync=say:text=a"}, script, {}});
    EXPECT_EQ(m.out(udp(client4, server4, "x")).told, (Lines{"once", "a - nil"}));
    replace(m,
            next_of(m, {"--filter-udp=1-65535", "--lua-desync=once", "--lua-desync=say:text=a"}));
    EXPECT_EQ(m.out(udp(client4, server4, "x")).told, Lines{"a - nil"});
    EXPECT_EQ(m.engine->counts_of(1).packets, 2U);
    EXPECT_EQ(m.engine->instances(1)[1].counts.called, 2U);
    replace(m, next_of(m, {"--lua-desync=once", "--lua-desync=say:text=b"}));
    EXPECT_EQ(m.out(udp(client4, server4, "x")).told, (Lines{"once", "b - nil"}));
    EXPECT_EQ(m.engine->instances(1)[1].counts.called, 1U);
}

TEST(EngineReload, CutoffsOfTheFlowEndWithOtherInstances) {
    Machine m({{"--lua-desync=slow"}, script, {}});
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "slow");
    EXPECT_TRUE(m.out(udp(client4, server4, "x")).told.empty());
    replace(m, next_of(m, {"--lua-desync=say:text=now"}));
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "now - nil");
}

TEST(EngineReload, HeldPacketsAreReplayedByTheirOwn) {
    Config config{{"--payload=tls_client_hello", "--lua-desync=say:text=old"}, script, {}};
    config.options.blobs.push_back({"b", {'1'}});
    Client c(std::move(config));
    Machine& m = c.machine;
    expect_held(c.part(0, 700));
    Next next = next_of(m, {"--name=n", "--payload=tls_client_hello", "--lua-desync=say:text=new"});
    next.blobs = {{"b", std::vector<std::uint8_t>{'2'}}};
    replace(m, next);
    EXPECT_FALSE(m.engine->drop_old_profiles());
    // Meanwhile others have the new ones.
    EXPECT_EQ(c.part(700, 1115).told, (Lines{"old - 1", "old - 1"}));
    m.advance(0.1);
    EXPECT_TRUE(m.engine->drop_old_profiles());
    EXPECT_EQ(m.engine->instances(1)[0].counts.called, 0U);
    // What is repeated is a packet of now.
    EXPECT_EQ(c.part(0, 700).told.front(), "new n 2");
}

TEST(EngineReload, BlobsComeAndGo) {
    Config config{{"--lua-desync=say:text=x"}, script, {}};
    config.options.blobs.push_back({"b", {'1'}});
    Machine m(std::move(config));
    const auto b = [&m](const char* text) {
        return m.engine->blob_is("b", [text](Bytes bytes) { return as_text(bytes) == text; });
    };
    EXPECT_TRUE(b("1"));
    Next next = next_of(m, {"--lua-desync=say:text=x"});
    next.blobs = {{"b", std::nullopt}, {"new", std::vector<std::uint8_t>{'n'}}};
    replace(m, next);
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "x - nil");
    EXPECT_TRUE(m.engine->blob_is("new", [](Bytes bytes) { return as_text(bytes) == "n"; }));
    m.engine->take_back_profiles();
    EXPECT_TRUE(b("1"));
    EXPECT_FALSE(m.engine->blob_is("new", [](Bytes) { return true; }));
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "x - 1");
}

TEST(EngineReload, AFailureLeavesEverything) {
    Machine m({{"--lua-desync=say:text=one"}, script, {}});
    EXPECT_EQ(
        prepare(m, next_of(m, {"--lua-desync=say:text=two", "--lua-desync=nothing"})),
        "desync function 'nothing' does not exist (profile 1 (noname)); is the library that has "
        "it loaded by --lua-init?");
    EXPECT_EQ(prepare(m, next_of(m, {"--lua-desync=say:text=two"})), "");
    m.engine->abandon_profiles();
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "one - nil");
}

TEST(EngineReload, LargeSetsComeInPieces) {
    Machine m({{"--lua-desync=say:text=one"}, script, {}});
    std::vector<std::string> options;
    for (int i = 0; i < 200; i++) {
        options.insert(options.end(), {"--lua-desync=say:text=" + std::to_string(i), "--new"});
    }
    const Next next = next_of(m, options);
    std::string error;
    m.engine->begin_profiles(next);
    int pieces = 1;
    while (m.engine->prepare_profiles(&error) == Engine::Prepared::more) {
        pieces++;
        EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "one - nil");
    }
    EXPECT_GT(pieces, 5);
    EXPECT_TRUE(m.engine->adopt_profiles(next, &error)) << error;
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "0 - nil");
}

TEST(EngineReload, ForgetsWhatOthersHaveLearned) {
    Machine m({{"--lua-desync=show"},
               "autostate = {a = 1, b = 2} function show() tell(autostate.a, autostate.b) end",
               {}});
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "1 2");
    Next next = next_of(m, {"--lua-desync=show"});
    next.forgotten = {"b", "c"};
    replace(m, next);
    EXPECT_EQ(m.out(udp(client4, server4, "x")).line(), "1 nil");
}

TEST(EngineReload, ListsAreAskedAnew) {
    Client c({{"--hostlist-exclude-domains=example.com", "--payload=tls_client_hello",
               "--lua-desync=say:text=one"},
              script,
              {}});
    EXPECT_TRUE(c.part(0, 1115).told.empty());
    replace(c.machine, next_of(c.machine, {"--payload=all", "--lua-desync=say:text=two"}));
    EXPECT_EQ(c.machine.out(c.flow.from_client(as_bytes("more"), 1115)).line(), "two - nil");
    replace(c.machine,
            next_of(c.machine, {"--hostlist-auto=" + profile::testing::TempDir().file("a"),
                                "--payload=all", "--lua-desync=say:text=three"}));
    EXPECT_TRUE(c.machine.out(c.flow.from_client(as_bytes("still more"), 1119)).told.empty());
}

TEST(EngineReload, MemoryOfLuaIsGivenBack) {
    Machine m({{"--lua-desync=say:text=one"}, script, {}});
    for (int round = 0; round < 50; round++) {
        replace(m, next_of(m, {"--name=n" + std::to_string(round), "--cookie=c",
                               "--lua-desync=say:text=" + std::to_string(round)}));
        EXPECT_EQ(m.out(udp(client4, server4, "x")).line(),
                  std::to_string(round) + " n" + std::to_string(round) + " nil");
        m.advance(0.1);
        EXPECT_TRUE(m.engine->drop_old_profiles());
    }
}

} // namespace
} // namespace nfqws2::engine::test
