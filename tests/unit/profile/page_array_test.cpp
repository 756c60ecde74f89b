#include "nfqws2/profile/page_array.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace nfqws2::profile {
namespace {

TEST(PageArray, GrowsAndKeepsValues) {
    PageArray<std::uint32_t> a;
    EXPECT_TRUE(a.empty());
    EXPECT_EQ(a.memory(), 0U);
    for (std::uint32_t i = 0; i < 100'000; ++i)
        a.push_back(i * 3);
    ASSERT_EQ(a.size(), 100'000U);
    for (std::uint32_t i = 0; i < 100'000; ++i)
        ASSERT_EQ(a[i], i * 3);
}

TEST(PageArray, ShrinkGivesMemoryBack) {
    PageArray<std::uint64_t> a;
    for (std::uint64_t i = 0; i < 100'000; ++i)
        a.push_back(i);
    a.truncate(1000);
    a.truncate(5000); // never grows
    EXPECT_EQ(a.size(), 1000U);
    a.shrink();
    EXPECT_LE(a.memory(), 16'384U);
    EXPECT_EQ(a[999], 999U);
    a.truncate(0);
    a.shrink();
    EXPECT_EQ(a.memory(), 0U);
    a.push_back(7);
    EXPECT_EQ(a[0], 7U);
}

TEST(PageArray, ResizeFillsWithZero) {
    PageArray<std::uint32_t> a;
    a.resize(10'000);
    ASSERT_EQ(a.size(), 10'000U);
    for (std::uint32_t value : a)
        ASSERT_EQ(value, 0U);
}

TEST(PageArray, Moves) {
    PageArray<std::uint32_t> a;
    a.push_back(1);
    PageArray<std::uint32_t> b(std::move(a));
    EXPECT_EQ(b[0], 1U);
    PageArray<std::uint32_t> c;
    c.push_back(2);
    std::swap(b, c);
    EXPECT_EQ(b[0], 2U);
    EXPECT_EQ(c[0], 1U);
}

} // namespace
} // namespace nfqws2::profile
