#include "capture/queue_losses.hpp"

#include <gtest/gtest.h>

namespace nfqws2::capture {
namespace {

TEST(QueueLosses, FindsTheRowOfTheSocket) {
    const char* table =
        "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"
        "0000000000000000 0   4242       00000111 0        0        0     2        5        1001\n"
        "0000000000000000 12  4242       00000000 212992   0        0     2        77       1002 \n"
        "0000000000000000 12  0          00000000 0        0        0     2        3        7";
    EXPECT_EQ(netlink_drops_in_table(table, 4242), 77U);
    EXPECT_EQ(netlink_drops_in_table(table, 0), 3U);
    EXPECT_EQ(netlink_drops_in_table(table, 1), std::nullopt);
    EXPECT_EQ(netlink_drops_in_table("", 0), std::nullopt);
    EXPECT_EQ(netlink_drops_in_table("x 12 4242 short", 4242), std::nullopt);
}

TEST(QueueLosses, AnyOtherDescriptorTellsNothing) {
    EXPECT_EQ(netlink_drops_of_socket(-1), std::nullopt);
}

} // namespace
} // namespace nfqws2::capture
