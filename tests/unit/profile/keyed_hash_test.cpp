#include "nfqws2/profile/keyed_hash.hpp"

#include "nfqws2/base/text.hpp"

#include <gtest/gtest.h>

#include <array>
#include <numeric>
#include <string>

namespace nfqws2::profile {
namespace {

std::string hash_text(std::size_t size) {
    std::array<std::uint8_t, 64> data;
    std::iota(data.begin(), data.end(), std::uint8_t{0});
    const Hash128 h = siphash128(Bytes(data).first(size), {0x0706050403020100, 0x0f0e0d0c0b0a0908});
    std::array<std::uint8_t, 16> out;
    for (std::size_t i = 0; i < 8; ++i) {
        out[i] = static_cast<std::uint8_t>(h.first >> (8 * i));
        out[8 + i] = static_cast<std::uint8_t>(h.second >> (8 * i));
    }
    return to_hex(out);
}

// Published vectors: key 00..0f, input 00 01 02 ...
TEST(KeyedHash, ReferenceVectors) {
    EXPECT_EQ(hash_text(0), "a3817f04ba25a8e66df67214c7550293");
    EXPECT_EQ(hash_text(1), "da87c1d86b99af44347659119b22fc45");
    EXPECT_EQ(hash_text(8), "3b62a9ba6258f5610f83e264f31497b4");
    EXPECT_EQ(hash_text(15), "5493e99933b0a8117e08ec0f97cfc3d9");
}

TEST(KeyedHash, DependsOnTheKey) {
    const Bytes data = as_bytes("example.com");
    EXPECT_NE(siphash128(data, {1, 2}), siphash128(data, {1, 3}));
    EXPECT_EQ(siphash128(data, process_hash_key()), siphash128(data, process_hash_key()));
}

} // namespace
} // namespace nfqws2::profile
