#include "nfqws2/flow/track.hpp"

#include "flow/flow_memory.hpp"
#include "nfqws2/flow/connection_table.hpp"
#include "packets.hpp"

#include <gtest/gtest.h>

namespace nfqws2::flow::test {
namespace {

class TrackTest : public ::testing::Test {
  protected:
    VirtualClock clock;
    ConnectionTable table{TableOptions{}, clock};
    Track& track = *table.feed(dissected(udp(Ends(), 1))).track;
};

// The goal (docs/contracts/goals.md#flows): 256 bytes per flow with its place in the table (4 to 8
// bytes per flow).
TEST(TrackLayout, FitsTheGoal) {
    EXPECT_LE(sizeof(Track), 216U);
}

TEST_F(TrackTest, Beginning) {
    EXPECT_EQ(track.incoming_ttl(), 0);
    EXPECT_EQ(track.l7(), protocol::L7::unknown);
    EXPECT_FALSE(track.l7_announced());
    EXPECT_FALSE(track.has_hostname());
    EXPECT_EQ(track.hostname().data(), nullptr);
    EXPECT_FALSE(track.profile_searched());
    EXPECT_FALSE(track.cutoff(false) || track.cutoff(true) || track.has_cuts());
    EXPECT_EQ(track.lua_ref(), no_lua_ref);
    EXPECT_EQ(track.extension(), nullptr);
    EXPECT_FALSE(track.holding());
    EXPECT_EQ(track.state(), TcpState::syn);
}

TEST_F(TrackTest, SimpleValues) {
    track.set_incoming_ttl(57, true);
    EXPECT_EQ(track.incoming_ttl(), 57);
    EXPECT_TRUE(track.incoming_ttl_from_cache());
    track.set_incoming_ttl(58, false);
    EXPECT_FALSE(track.incoming_ttl_from_cache());
    track.set_l7(protocol::L7::utp_bt);
    track.set_l7_announced();
    EXPECT_EQ(track.l7(), protocol::L7::utp_bt);
    EXPECT_TRUE(track.l7_announced());
    track.set_profile(0);
    EXPECT_TRUE(track.profile_searched());
    EXPECT_EQ(track.profile(), 0U);
    track.set_profile(70'000);
    EXPECT_EQ(track.profile(), 70'000U);
    track.set_lua_ref(123456);
    EXPECT_EQ(track.lua_ref(), 123456);
}

TEST_F(TrackTest, Hostname) {
    track.set_hostname("cached.example", false, false);
    EXPECT_EQ(track.hostname(), "cached.example");
    EXPECT_FALSE(track.hostname_discovered());
    track.set_hostname("192.0.2.1", true, true);
    EXPECT_EQ(track.hostname(), "192.0.2.1");
    EXPECT_TRUE(track.hostname_is_ip());
    EXPECT_TRUE(track.hostname_discovered());
    track.set_hostname("", false, true); // an empty name is a name
    EXPECT_TRUE(track.has_hostname());
    EXPECT_NE(track.hostname().data(), nullptr);
    EXPECT_EQ(track.hostname(), "");
    track.set_hostname(std::string_view("a\0b", 3), false, true);
    EXPECT_EQ(track.hostname().size(), 3U);
}

TEST_F(TrackTest, HostnamesOfEveryLength) {
    for (std::size_t n = 0; n <= 300; n++) {
        const std::string name(n, 'h');
        track.set_hostname(name, false, true);
        EXPECT_EQ(track.hostname(), name.substr(0, 255));
    }
}

TEST_F(TrackTest, HostnameSetFromItself) {
    track.set_hostname("www.example.com", false, false);
    track.set_hostname(track.hostname().substr(4), false, true);
    EXPECT_EQ(track.hostname(), "example.com");
}

TEST_F(TrackTest, CutoffFlagsPerDirection) {
    track.set_cutoff(true);
    EXPECT_TRUE(track.cutoff(true));
    EXPECT_FALSE(track.cutoff(false));
    track.set_cutoff(false);
    track.clear_cutoffs();
    EXPECT_FALSE(track.cutoff(true) || track.cutoff(false));
}

TEST_F(TrackTest, InstanceCutsByProfileInstanceAndDirection) {
    track.cut_instance(2, 3, false, false);
    EXPECT_FALSE(track.has_cuts());
    track.cut_instance(2, 3, true, false);
    EXPECT_TRUE(track.has_cuts());
    EXPECT_TRUE(track.instance_cut(2, 3, false));
    EXPECT_FALSE(track.instance_cut(2, 3, true));
    EXPECT_FALSE(track.instance_cut(2, 4, false));
    EXPECT_FALSE(track.instance_cut(1, 3, false));
    track.cut_instance(2, 3, false, true);
    EXPECT_TRUE(track.instance_cut(2, 3, true));
    EXPECT_EQ(track.extension(), nullptr); // fits the track
}

TEST_F(TrackTest, CutsOfOtherProfilesAndHighInstances) {
    track.cut_instance(1, 1, false, true);
    track.cut_instance(2, 1, true, false); // another profile
    track.cut_instance(1, 17, false, true);
    track.cut_instance(1, 17, true, false);
    track.cut_instance(70'000, 1, true, true);
    track.clear_cutoffs(); // the flow's flags only
    for (std::uint32_t profile : {1U, 2U, 70'000U})
        for (std::uint32_t instance = 1; instance < 40; instance++) {
            const bool in = (profile == 2 && instance == 1) || (profile == 1 && instance == 17) ||
                            (profile == 70'000 && instance == 1);
            const bool out = (profile == 1 && (instance == 1 || instance == 17)) ||
                             (profile == 70'000 && instance == 1);
            EXPECT_EQ(track.instance_cut(profile, instance, false), in) << profile << instance;
            EXPECT_EQ(track.instance_cut(profile, instance, true), out) << profile << instance;
        }
}

TEST_F(TrackTest, ExtensionIsMadeOnce) {
    TrackExtension& e = track.need_extension();
    e.reassembly = std::make_unique<Reassembly>(Reassembly::Kind::quic_initial, 100, 0);
    EXPECT_EQ(&track.need_extension(), &e);
    EXPECT_EQ(track.extension(), &e);
    EXPECT_FALSE(track.holding());
    e.held.emplace_back();
    EXPECT_TRUE(track.holding());
}

TEST_F(TrackTest, CommonMss) {
    const Ends e;
    const auto mss = [&](std::uint16_t c, std::uint16_t s) {
        table.clear();
        table.feed(dissected(tcp(e, {tf::syn, 1, 0, 1, c ? mss_option(c) : Packet(), 0})));
        return table
            .feed(dissected(
                tcp(e.reversed(), {tf::syn | tf::ack, 5, 2, 1, s ? mss_option(s) : Packet(), 0})))
            .track->common_mss();
    };
    EXPECT_EQ(mss(1460, 1400), 1400);
    EXPECT_EQ(mss(536, 1400), 536);
    EXPECT_EQ(mss(0, 1400), 0);
    EXPECT_EQ(mss(1460, 0), 0);
}

} // namespace
} // namespace nfqws2::flow::test
