// Damaged input through every function: each truncation and each single-bit flip of every sample.
// Results do not matter here; what counts is that nothing is read past its end (each input lies in
// a heap block of exactly its size, so a sanitizer build sees it) and that positions stay inside.
#include "../places.hpp"
#include "exercise.hpp"
#include "samples.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol::test {
namespace {

class RobustnessTest : public testing::TestWithParam<Sample> {};

TEST_P(RobustnessTest, EveryTruncation) {
    for (const auto& packet : GetParam().packets) {
        for (std::size_t size = 0; size <= packet.payload.size(); size += nfqws2::test::every())
            exercise(copy_of(Bytes(packet.payload).first(size)));
    }
}

TEST_P(RobustnessTest, EveryBitFlip) {
    for (const auto& packet : GetParam().packets) {
        Buffer data = packet.payload;
        for (std::size_t bit = 0; bit < data.size() * 8; bit += nfqws2::test::every()) {
            const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
            data[bit / 8] ^= mask;
            exercise(data);
            data[bit / 8] ^= mask;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, RobustnessTest, testing::ValuesIn(samples()),
                         [](const auto& info) { return info.param.name; });

} // namespace
} // namespace nfqws2::protocol::test
