#include "nfqws2/protocol/stun.hpp"

#include "samples.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol::test {
namespace {

TEST(Stun, Signature) {
    const Buffer good = hex("3fff 0000 2112a442 000102030405060708090a0b");
    EXPECT_TRUE(is_stun(good));
    EXPECT_FALSE(is_stun(Bytes(good).first(19)));
    for (const auto& [at, value] : {std::pair{0, 0x40},
                                    {0, 0x80},
                                    {3, 1},
                                    {3, 2},
                                    {3, 4},
                                    {2, 1},
                                    {4, 0x20},
                                    {5, 0x13},
                                    {6, 0xA5},
                                    {7, 0x43}}) {
        Buffer bad = good;
        bad[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(value);
        EXPECT_FALSE(is_stun(bad)) << at << " " << value;
    }
}

TEST(Stun, LengthMayBeSmallerThanTheDatagram) {
    Buffer data = hex("0001 0004 2112a442 000102030405060708090a0b 00000000");
    EXPECT_TRUE(is_stun(data));
    data.pop_back();
    EXPECT_FALSE(is_stun(data));
    data.resize(40);
    EXPECT_TRUE(is_stun(data));
}

} // namespace
} // namespace nfqws2::protocol::test
