// What --check says of scripts that were written for NFLua.
#include "checked.hpp"

namespace nfqws2::app {
namespace {

Lines of_nflua(const std::vector<std::string>& instances) {
    return Checked(instances_of(instances)).nflua().findings();
}

TEST(CheckNflua, KnowsTheWordsOfArguments) {
    EXPECT_EQ(of_nflua({"nflua:func=f:mode=target", "nflua:func=f:j=accept:mask=0xFFFFFFFF",
                        "nflua_match:func=f:j=next:mask=5", "nflua_target:func=f:j=what",
                        "nflua:func=f:j=%word:mode=#word:mask=%n", "pass:j=no:mode=no:mask=no"}),
              Lines());
    EXPECT_EQ(of_nflua({"nflua:func=f:j=Drop"}),
              (Lines{"error 1: j=Drop: one of drop, accept, next, continue (did you mean 'drop'?) "
                     "(instance nflua_1_1)"}));
    EXPECT_EQ(of_nflua({"nflua:func=f:mode="}),
              (Lines{"error 1: mode=: one of match, target (instance nflua_1_1)"}));
    for (const char* mask : {"", "0x100000000", "-1", "two", "1z"})
        EXPECT_EQ(of_nflua({std::string("nflua_match:func=f:mask=") + mask}),
                  (Lines{std::string("error 1: mask=") + mask +
                         ": a number up to 0xFFFFFFFF (instance nflua_match_1_1)"}));
}

TEST(CheckNflua, SaysWhatDropsEverything) {
    const Lines drops = {"warning 1: without func= every packet matches and is dropped "
                         "(instance nflua_1_1)"};
    EXPECT_EQ(of_nflua({"nflua"}), drops);
    EXPECT_EQ(of_nflua({"nflua:j=drop:mode=match"}), drops);
    EXPECT_EQ(of_nflua({"nflua_match"}).size(), 1U);
    EXPECT_EQ(of_nflua({"nflua:tcp_payload", "nflua:mask=1", "nflua:j=continue", "nflua:j=%how"}),
              Lines())
        << "that is meant";
    EXPECT_EQ(of_nflua({"nflua:mode=target"}),
              (Lines{"error 1: mode=target needs argument 'func' (instance nflua_1_1)"}));
}

TEST(CheckNflua, HasNoPacketBelowOrchestrators) {
    EXPECT_EQ(of_nflua({"nflua:func=f", "circular", "a:strategy=1"}), Lines());
    EXPECT_EQ(of_nflua({"circular", "nflua:func=f:strategy=1"}),
              (Lines{"error 2: there is no packet below an orchestrator, here circular_1_1: nflua "
                     "belongs in front of it or into another profile (instance nflua_1_2)"}));
    for (const char* orchestrator :
         {"learn", "condition", "per_instance_condition", "stopif", "repeater"})
        EXPECT_EQ(of_nflua({orchestrator, "a", "nflua_target:func=f"}).size(), 1U) << orchestrator;
    EXPECT_EQ(
        Checked({"--filter-tcp=80", "--lua-desync=circular", "--new", "--lua-desync=nflua:func=f"})
            .nflua()
            .findings(),
        Lines())
        << "of another profile";
}

} // namespace
} // namespace nfqws2::app
