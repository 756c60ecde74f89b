#include "nfqws2/base/shared_library.hpp"

#include <gtest/gtest.h>

namespace nfqws2 {
namespace {

using Floor = double(double);

TEST(SharedLibrary, TheFirstThatIsThereIsTaken) {
    const SharedLibrary math{"libnfqws2-none.so.1", "libm.so.6"};
    Floor* floor = nullptr;
    if (!math.take(floor, "floor")) GTEST_SKIP() << "the C library is not one that has libm.so.6";
    EXPECT_EQ(floor(2.5), 2.0);
}

TEST(SharedLibrary, WhatIsNotThereIsTold) {
    const SharedLibrary none{"libnfqws2-none.so.1"};
    Floor* floor = nullptr;
    EXPECT_FALSE(none.take(floor, "floor"));
    const SharedLibrary math{"libm.so.6"};
    EXPECT_FALSE(math.take(floor, "no_such_function_of_it"));
    EXPECT_EQ(floor, nullptr);
}

} // namespace
} // namespace nfqws2
