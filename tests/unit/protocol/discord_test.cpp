#include "nfqws2/protocol/discord.hpp"

#include "samples.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol::test {
namespace {

TEST(Discord, Signature) {
    Buffer good(74, 0);
    good[1] = 1;
    good[3] = 0x46;
    EXPECT_TRUE(is_discord_ip_discovery(good));
    EXPECT_FALSE(is_discord_ip_discovery(Bytes(good).first(73)));
    for (std::size_t i = 0; i < good.size(); ++i) {
        Buffer changed = good;
        changed[i] ^= 0x80;
        const bool free = (i >= 4 && i < 8) || i >= 72;
        EXPECT_EQ(is_discord_ip_discovery(changed), free) << i;
    }
    good.push_back(0);
    EXPECT_FALSE(is_discord_ip_discovery(good));
}

} // namespace
} // namespace nfqws2::protocol::test
