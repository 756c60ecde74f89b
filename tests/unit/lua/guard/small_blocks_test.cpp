#include "lua/guard/small_blocks.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <vector>

namespace nfqws2::lua {

namespace {

// An allocator that knows what it has given and wants it back with the right size.
struct Below {
    std::map<void*, std::size_t> given;
    unsigned calls = 0;

    static void* allocate(void* data, void* block, std::size_t old_size, std::size_t size) {
        Below& below = *static_cast<Below*>(data);
        below.calls++;
        if (block != nullptr) {
            EXPECT_EQ(below.given.at(block), old_size);
            below.given.erase(block);
        }
        if (size == 0) {
            std::free(block);
            return nullptr;
        }
        void* result = std::realloc(block, size);
        below.given[result] = size;
        return result;
    }
};

} // namespace

class SmallBlocksTest : public ::testing::Test {
  protected:
    ~SmallBlocksTest() override { EXPECT_TRUE(below.given.empty()) << "a block was lost"; }

    void* take(std::size_t size) { return blocks.allocate(nullptr, 4, size); } // 4: a type of PUC
    void give(void* block, std::size_t size) {
        EXPECT_EQ(blocks.allocate(block, size, 0), nullptr);
    }

    Below below;
    SmallBlocks blocks{Below::allocate, &below, 1000};
};

TEST_F(SmallBlocksTest, ABlockServesTheNextOfItsSize) {
    void* first = take(64);
    give(first, 64);
    EXPECT_EQ(blocks.kept_bytes(), 64U);
    void* larger = take(72);
    void* smaller = take(56);
    EXPECT_NE(larger, first);
    EXPECT_NE(smaller, first);
    EXPECT_EQ(below.calls, 3U);
    EXPECT_EQ(take(64), first);
    EXPECT_EQ(below.calls, 3U);
    EXPECT_EQ(blocks.kept_bytes(), 0U);
    for (auto [block, size] : {std::pair{larger, 72}, {smaller, 56}, {first, 64}})
        give(block, static_cast<std::size_t>(size));
    blocks.give_back();
    EXPECT_EQ(blocks.kept_bytes(), 0U);
}

TEST_F(SmallBlocksTest, WhatIsLargeOrOddGoesBackAtOnce) {
    for (const std::size_t size : {1U, 7U, 60U, 776U, 4096U}) {
        give(take(size), size);
        EXPECT_TRUE(below.given.empty()) << size;
    }
    give(take(768), 768);
    EXPECT_FALSE(below.given.empty());
    blocks.give_back();
}

TEST_F(SmallBlocksTest, NoMoreIsKeptThanAllowed) {
    std::vector<void*> taken(20);
    for (void*& block : taken)
        block = take(96);
    for (void* block : taken)
        give(block, 96);
    EXPECT_EQ(blocks.kept_bytes(), 960U);
    EXPECT_EQ(below.given.size(), 10U);
    blocks.give_back();
}

TEST_F(SmallBlocksTest, SizesNobodyWantsDoNotHoldThePlace) {
    std::vector<void*> taken(10);
    for (void*& block : taken)
        block = take(96);
    for (void* block : taken)
        give(block, 96);
    void* wanted = take(64);
    give(wanted, 64);
    EXPECT_EQ(blocks.kept_bytes(), 9 * 96U + 64);
    EXPECT_EQ(take(64), wanted);
    give(wanted, 64);
    blocks.give_back();
}

TEST_F(SmallBlocksTest, ABlockThatGrowsIsLeftToTheAllocatorBelow) {
    void* block = take(64);
    block = blocks.allocate(block, 64, 128);
    EXPECT_EQ(below.given.at(block), 128U);
    EXPECT_EQ(blocks.allocate(nullptr, 0, 0), nullptr);
    give(block, 128);
    EXPECT_EQ(blocks.kept_bytes(), 128U);
    blocks.give_back();
}

} // namespace nfqws2::lua
