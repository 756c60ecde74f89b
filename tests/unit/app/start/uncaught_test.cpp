#include "app/start/uncaught.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace nfqws2::app {
namespace {

template <typename Thrown> void raise(const Thrown& thrown) {
    throw thrown;
}

TEST(UncaughtDeathTest, ItsWordsAreTheLastOnes) {
    EXPECT_DEATH(
        {
            tell_of_uncaught();
            []() noexcept { raise(std::runtime_error("no luck")); }();
        },
        "FATAL: an exception that nobody expects: no luck");
    EXPECT_DEATH(
        {
            tell_of_uncaught();
            []() noexcept { raise(1); }();
        },
        "FATAL: an exception that nobody expects and cannot name");
}

} // namespace
} // namespace nfqws2::app
