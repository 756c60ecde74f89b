#include "probe/agenda.hpp"

#include <cstddef>
#include <cstdint>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace nfqws2::probe;

namespace {

// An agenda of strategies with these words, in this order.
struct Plan {
    explicit Plan(const std::vector<std::string>& strategies, std::uint32_t limit = 100) {
        for (const auto& words : strategies) {
            Item item;
            item.strategy = *read_strategy("curl_test_http a " + words, {}, {});
            items.push_back(std::move(item));
        }
        agenda = std::make_unique<Agenda>(items, Pace(limit, limit, most_trust));
        for (std::size_t n = 0; n < items.size(); ++n) {
            agenda->add(n);
        }
    }
    // What is chosen was not connected, because of this code.
    void refuse(std::size_t index, int code) {
        Attempt attempt;
        attempt.code = code;
        items[index].attempts = {attempt};
        agenda->set_aside(index);
    }

    std::vector<Item> items;
    std::unique_ptr<Agenda> agenda;
};

constexpr const char* blob = "--blob=x:0x00 --lua-desync=fake:blob=x";
constexpr const char* plain = "--lua-desync=x";
constexpr const char* alone = "--lua-desync=x --ctrack-disable=0";

} // namespace

TEST(Agenda, TakesTheFirstAndWhatStandsBesideIt) {
    Plan run({plain, blob, plain, alone, blob, plain, alone});
    EXPECT_EQ(run.agenda->choose(2), (Indices{0, 2}));
    EXPECT_EQ(run.agenda->choose(9), (Indices{1, 4}));
    EXPECT_EQ(run.agenda->choose(9), (Indices{3}));
    EXPECT_EQ(run.agenda->choose(9), (Indices{5}));
    EXPECT_FALSE(run.agenda->is_empty());
    EXPECT_EQ(run.agenda->choose(9), (Indices{6}));
    EXPECT_TRUE(run.agenda->is_empty());
}

// Strategies of a daemon that died are tried in ever smaller groups.
TEST(Agenda, HeedsHowManyMayStandTogether) {
    Plan run({plain, plain, plain, plain});
    run.items[1].crowd = 2;
    EXPECT_EQ(run.agenda->choose(9), (Indices{0, 1}));
    run.items[2].crowd = 1;
    EXPECT_EQ(run.agenda->choose(9), (Indices{2}));
    run.agenda->again(2);
    EXPECT_EQ(run.agenda->choose(9), (Indices{2}));
    EXPECT_EQ(run.agenda->choose(9), (Indices{3}));
}

// Others wait while those that were not connected are asked again, with half as many at once.
TEST(Agenda, ARoundComesFirstWhenThereMayBeTooMany) {
    Plan run({plain, plain, plain}, 8);
    EXPECT_EQ(run.agenda->choose(2), (Indices{0, 1}));
    run.refuse(0, code_refused);
    run.refuse(1, code_refused);
    run.agenda->note(2, 2, true);
    EXPECT_TRUE(run.agenda->holds());
    EXPECT_TRUE(run.agenda->choose(9).empty());
    run.agenda->change_round();
    EXPECT_FALSE(run.agenda->holds());
    EXPECT_EQ(run.agenda->at_once(), 4U);
    EXPECT_EQ(run.agenda->choose(9), (Indices{0, 1}));
    run.agenda->change_round(); // both connect now
    EXPECT_EQ(run.agenda->at_once(), 4U);
    EXPECT_EQ(run.agenda->said(),
              "the server refused connections. now 4 strategies at the same time.");
    EXPECT_EQ(run.agenda->choose(9), (Indices{2}));
}

TEST(Agenda, AFewWaitUntilTheOthersAreThrough) {
    Plan run({plain, plain, plain}, 100);
    EXPECT_EQ(run.agenda->choose(2), (Indices{0, 1}));
    run.refuse(0, code_timeout);
    run.agenda->note(100, 1, true);
    run.agenda->change_round();
    EXPECT_EQ(run.agenda->choose(9), (Indices{2}));
    run.agenda->change_round();
    EXPECT_EQ(run.agenda->choose(9), (Indices{0}));
    run.refuse(0, code_timeout);
    run.agenda->change_round();
    EXPECT_TRUE(run.items[0].done);
    EXPECT_TRUE(run.agenda->is_empty());
}
