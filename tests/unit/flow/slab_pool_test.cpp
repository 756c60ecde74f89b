#include "flow/slab_pool.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <set>
#include <vector>

namespace nfqws2::flow {
namespace {

TEST(SlabPool, IndexAndAddressBelongTogether) {
    int owner = 0;
    SlabPool pool(216, &owner);
    std::set<std::uint32_t> indices;
    std::vector<void*> blocks;
    for (std::size_t i = 0; i < 3 * pool.blocks_per_slab() + 1; i++) {
        void* block = pool.allocate();
        ASSERT_NE(block, nullptr);
        std::memset(block, 0xEE, 216);
        EXPECT_EQ(pool.at(SlabPool::index_of(block)), block);
        EXPECT_EQ(SlabPool::owner_of(block), &owner);
        EXPECT_TRUE(indices.insert(SlabPool::index_of(block)).second);
        blocks.push_back(block);
    }
    EXPECT_EQ(pool.mapped_slabs(), 4U);
    EXPECT_EQ(pool.used(), blocks.size());
    for (void* block : blocks)
        SlabPool::release(block);
    EXPECT_EQ(pool.used(), 0U);
    EXPECT_EQ(pool.mapped_slabs(), 1U); // the spare one
}

TEST(SlabPool, BlocksDoNotOverlap) {
    SlabPool pool(40);
    std::vector<std::uint8_t*> blocks;
    for (int i = 0; i < 5000; i++) {
        blocks.push_back(static_cast<std::uint8_t*>(pool.allocate()));
        std::memset(blocks.back(), i & 0xFF, 40);
    }
    for (int i = 0; i < 5000; i++)
        for (int k = 0; k < 40; k++)
            ASSERT_EQ(blocks[static_cast<std::size_t>(i)][k], i & 0xFF);
    for (auto* block : blocks)
        SlabPool::release(block);
}

TEST(SlabPool, ReusesReleasedBlocksAndDrainsUpperSlabs) {
    SlabPool pool(216);
    const std::size_t n = pool.blocks_per_slab();
    std::vector<void*> blocks;
    for (std::size_t i = 0; i < 4 * n; i++)
        blocks.push_back(pool.allocate());
    SlabPool::release(blocks[5]);         // room in the first slab
    SlabPool::release(blocks[3 * n + 7]); // room in the last one
    EXPECT_EQ(pool.allocate(), blocks[5]);
    EXPECT_EQ(pool.allocate(), blocks[3 * n + 7]);
    EXPECT_EQ(pool.mapped_slabs(), 4U);
}

TEST(SlabPool, OneEmptySlabIsKeptAgainstThrashing) {
    SlabPool pool(216);
    const std::size_t n = pool.blocks_per_slab();
    std::vector<void*> blocks;
    for (std::size_t i = 0; i < n; i++)
        blocks.push_back(pool.allocate());
    for (int round = 0; round < 3; round++) {
        void* extra = pool.allocate();
        EXPECT_EQ(pool.mapped_slabs(), 2U);
        SlabPool::release(extra);
        EXPECT_EQ(pool.mapped_slabs(), 2U);
    }
}

TEST(SlabPool, RandomLoadKeepsContents) {
    SlabPool pool(64);
    std::mt19937 random(7);
    std::vector<std::pair<void*, std::uint32_t>> live;
    for (std::uint32_t step = 0; step < 200'000; step++) {
        const bool grow = (step / 40'000) % 2 == 0;
        if (live.empty() || random() % 10 < (grow ? 7U : 3U)) {
            void* block = pool.allocate();
            std::memcpy(static_cast<char*>(block) + 20, &step, 4);
            live.emplace_back(block, step);
        } else {
            const std::size_t i = random() % live.size();
            std::uint32_t seen = 0;
            std::memcpy(&seen, static_cast<char*>(live[i].first) + 20, 4);
            ASSERT_EQ(seen, live[i].second);
            SlabPool::release(live[i].first);
            live[i] = live.back();
            live.pop_back();
        }
        ASSERT_EQ(pool.used(), live.size());
    }
}

} // namespace
} // namespace nfqws2::flow
