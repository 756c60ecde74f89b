#include "nfqws2/control/peer.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace nfqws2::control {
namespace {

const Rights rights{0, 100, 65534};

TEST(Peer, RootMayDoEverything) {
    EXPECT_EQ(access_for({0, {0}}, rights), Access::root);
    EXPECT_EQ(access_for({0, {}}, {1000, 1000, 0}), Access::root);
}

TEST(Peer, TheGroupMayDoEverything) {
    EXPECT_EQ(access_for({1000, {1000, 100}}, rights), Access::all);
    EXPECT_EQ(access_for({1000, {1000, 101}}, rights), Access::none);
    EXPECT_EQ(access_for({1000, {}}, rights), Access::none);
}

TEST(Peer, TheDaemonsUserReadsOnly) {
    EXPECT_EQ(access_for({65534, {65534}}, rights), Access::read);
    EXPECT_EQ(access_for({65534, {65534, 100}}, rights), Access::read); // scripts run under it
}

TEST(Peer, WhoHasStartedItMayDoEverything) {
    EXPECT_EQ(access_for({1000, {1000}}, {1000, 0, 1000}), Access::all);
    EXPECT_EQ(access_for({1000, {1000}}, {1000, 0, 65534}), Access::all);
}

TEST(Peer, IsWhatTheKernelSays) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    const auto peer = peer_of(ends[0]);
    close(ends[0]);
    close(ends[1]);
    ASSERT_TRUE(peer);
    EXPECT_EQ(peer->uid, geteuid());
    EXPECT_NE(std::find(peer->gids.begin(), peer->gids.end(), getegid()), peer->gids.end());
    EXPECT_FALSE(peer_of(-1));
}

} // namespace
} // namespace nfqws2::control
