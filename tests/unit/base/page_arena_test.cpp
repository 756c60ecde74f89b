#include "nfqws2/base/page_arena.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

namespace nfqws2 {
namespace {

TEST(PageArena, BlocksAreAlignedApartAndUsable) {
    PageArena arena;
    std::set<std::byte*> seen;
    for (std::uint32_t i = 0; i < 100; i++) { // beyond the first region
        EXPECT_EQ(arena.lowest_free(), i);
        ASSERT_TRUE(arena.acquire(i));
        std::byte* block = arena.at(i);
        EXPECT_EQ(PageArena::start_of(block + PageArena::block_size - 1), block);
        EXPECT_TRUE(seen.insert(block).second);
        std::memset(block, static_cast<int>(i), PageArena::block_size);
    }
    for (std::uint32_t i = 0; i < 100; i++) {
        EXPECT_EQ(arena.at(i)[0], std::byte(i));
        EXPECT_EQ(arena.at(i)[PageArena::block_size - 1], std::byte(i));
    }
    EXPECT_EQ(arena.in_use(), 100U);
}

TEST(PageArena, LowestNumberIsReused) {
    PageArena arena;
    for (std::uint32_t i = 0; i < 100; i++)
        ASSERT_TRUE(arena.acquire(i));
    for (const std::uint32_t i : {70U, 5U, 40U, 99U})
        arena.release(i);
    for (const std::uint32_t i : {5U, 40U, 70U, 99U}) {
        EXPECT_EQ(arena.lowest_free(), i);
        ASSERT_TRUE(arena.acquire(i));
        std::memset(arena.at(i), 1, PageArena::block_size);
    }
    EXPECT_EQ(arena.lowest_free(), 100U);
}

TEST(PageArena, RegionsComeAndGo) {
    PageArena arena;
    for (int round = 0; round < 3; round++) {
        for (std::uint32_t i = 0; i < 200; i++)
            ASSERT_TRUE(arena.acquire(i));
        for (std::uint32_t i = 200; i-- > 0;)
            arena.release(i);
        EXPECT_EQ(arena.in_use(), 0U);
        EXPECT_EQ(arena.lowest_free(), 0U);
    }
}

} // namespace
} // namespace nfqws2
