#include "nfqws2/protocol/bittorrent.hpp"

#include "samples.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol::test {
namespace {

TEST(Bittorrent, HandshakeOf68Bytes) {
    const Buffer& good = sample_payload("bt_out");
    ASSERT_EQ(good.size(), 68U);
    EXPECT_TRUE(is_bt_handshake(good));
    EXPECT_FALSE(is_bt_handshake(Bytes(good).first(67)));
    for (std::size_t i = 0; i < 20; ++i) {
        Buffer bad = good;
        bad[i] ^= 0x20;
        EXPECT_FALSE(is_bt_handshake(bad)) << i;
    }
}

TEST(Bittorrent, HandshakeInUtpOf88Bytes) {
    const Buffer& good = sample_payload("utp_out");
    ASSERT_EQ(good.size(), 88U);
    EXPECT_TRUE(is_utp_bt_handshake(good));
    EXPECT_FALSE(is_utp_bt_handshake(Bytes(good).first(87)));
    Buffer bad = good;
    bad[0] = 0x11;
    EXPECT_FALSE(is_utp_bt_handshake(bad));
}

TEST(Dht, Signature) {
    for (const char* good : {"d1:ade", "d1:rde", "d2:ipe", "d1:ele", "d1:ad...e"})
        EXPECT_TRUE(is_dht(as_bytes(good))) << good;
    for (const char* bad : {"", "d1:ad", "d1:ad.", "d1:ide", "d2:ade", "D1:ade", "d1-ade", "d1:are",
                            "d1:eee", "d2:ide"})
        EXPECT_FALSE(is_dht(as_bytes(bad))) << bad;
}

} // namespace
} // namespace nfqws2::protocol::test
