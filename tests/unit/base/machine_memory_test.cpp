#include "nfqws2/base/machine_memory.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace nfqws2 {
namespace {

constexpr std::size_t largest = std::numeric_limits<std::size_t>::max();

TEST(MachineMemory, PagesAreCounted) {
    EXPECT_EQ(memory_of_pages(16384, 4096), std::size_t{64} << 20);
    EXPECT_EQ(memory_of_pages(1, 65536), 65536U);
}

TEST(MachineMemory, MoreThanCanBeCountedIsNotLittle) {
    const long beyond = static_cast<long>(largest / 4096 + 2); // the product would be 4096
    EXPECT_EQ(memory_of_pages(beyond, 4096), largest - 1);
    EXPECT_EQ(memory_of_pages(std::numeric_limits<long>::max(), 65536), largest - 1);
}

TEST(MachineMemory, WhatTheSystemDoesNotTellIsNoLimit) {
    EXPECT_EQ(memory_of_pages(-1, 4096), largest);
    EXPECT_EQ(memory_of_pages(16384, -1), largest);
}

} // namespace
} // namespace nfqws2
