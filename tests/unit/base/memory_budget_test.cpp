#include "nfqws2/base/memory_budget.hpp"

#include <gtest/gtest.h>

namespace nfqws2 {
namespace {

using Part = MemoryBudget::Part;
constexpr std::size_t mb = MemoryBudget::megabyte;

TEST(MemoryBudget, RoomIsWhatTheOthersLeave) {
    MemoryBudget budget(24 * mb);
    EXPECT_TRUE(budget.room(24 * mb));
    budget.add(Part::flows, 10 * mb);
    budget.add(Part::held, 5 * mb);
    budget.add(Part::messages, mb);
    budget.add(Part::lua, 4 * mb);
    EXPECT_TRUE(budget.room(4 * mb));
    EXPECT_FALSE(budget.room(4 * mb + 1));
    EXPECT_EQ(budget.report(), "memory of 24 MB: flows 10240 KB, held packets 5120 KB, messages "
                               "1024 KB, Lua 4096 KB, send queues 0 KB, lists 0 KB, blobs 0 KB");
    budget.add(Part::sends, mb);
    EXPECT_FALSE(budget.room(3 * mb + 1));
    budget.add(Part::rules, mb);
    EXPECT_FALSE(budget.room(2 * mb + 1));
    EXPECT_TRUE(budget.report().ends_with("blobs 0 KB, rules 1024 KB"));
}

TEST(MemoryBudget, ListsAndBlobsLeaveTwelveMegabytes) {
    MemoryBudget budget(24 * mb);
    budget.add(Part::blobs, 8 * mb);
    EXPECT_FALSE(budget.room(16 * mb + 1));
    EXPECT_TRUE(budget.room(16 * mb));
    budget.add(Part::lists, 2 * mb);
    EXPECT_FALSE(budget.room(14 * mb + 1));
    EXPECT_TRUE(budget.room(14 * mb));
    budget.add(Part::blobs, 100 * mb);
    EXPECT_TRUE(budget.room(12 * mb));
    EXPECT_FALSE(budget.room(12 * mb + 1));
}

TEST(MemoryBudget, ZeroIsNoLimit) {
    MemoryBudget budget(0);
    budget.add(Part::flows, 1000 * mb);
    EXPECT_TRUE(budget.room(1000 * mb));
    EXPECT_EQ(budget.report().substr(0, 17), "memory no limit: ");
    EXPECT_GE(MemoryBudget::default_limit(), MemoryBudget::least);
}

TEST(MemoryShare, TellsChangesAndGivesBack) {
    MemoryBudget budget(mb);
    {
        MemoryShare share(&budget, Part::flows), other(&budget, Part::flows);
        share.set(100);
        other.set(1000);
        share.set(40);
        EXPECT_EQ(budget.share(Part::flows), 1040U);
        share.set(50);
        EXPECT_EQ(budget.share(Part::flows), 1050U);
    }
    EXPECT_EQ(budget.share(Part::flows), 0U);
    MemoryShare none(nullptr, Part::flows);
    none.set(5);
}

} // namespace
} // namespace nfqws2
