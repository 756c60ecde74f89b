#include "nfqws2/profile/outlook.hpp"

#include "profile_testing.hpp"

namespace nfqws2::profile {
namespace {

using testing::tcp;
using testing::udp;
using testing::World;

constexpr Settled nothing{}, l7_only{true, false}, host_only{false, true}, all{true, true};

bool may_change(const World& world, Query query, Settled settled,
                protocol::L7 l7 = protocol::L7::unknown) {
    query.l7 = l7;
    const Selection now = world.profiles->select(query);
    return may_change_profile(*world.profiles, query, *now.profile, settled);
}

TEST(Outlook, FiltersOfEndpointsAreFinal) {
    const World w({"--filter-tcp=80", "--new", "--filter-udp=443"});
    EXPECT_FALSE(may_change(w, tcp("10.0.0.1", 80), nothing));
    EXPECT_FALSE(may_change(w, tcp("10.0.0.1", 443), nothing));
    EXPECT_FALSE(may_change(w, udp("10.0.0.1", 443), nothing));
}

TEST(Outlook, ProtocolThatIsNotKnown) {
    const World w(
        {"--filter-tcp=80", "--filter-l7=http", "--new", "--filter-l3=ipv6", "--filter-l7=tls"});
    EXPECT_TRUE(may_change(w, tcp("10.0.0.1", 80), nothing));
    EXPECT_TRUE(may_change(w, tcp("10.0.0.1", 80), host_only));
    EXPECT_FALSE(may_change(w, tcp("10.0.0.1", 80), l7_only, protocol::L7::http));
    EXPECT_FALSE(may_change(w, tcp("10.0.0.1", 80), l7_only, protocol::L7::tls));
    EXPECT_FALSE(may_change(w, tcp("10.0.0.1", 81), nothing));
    EXPECT_TRUE(may_change(w, tcp("::1", 81), nothing));
}

TEST(Outlook, ChosenForWhatIsNotKnown) {
    const World w({"--filter-l7=unknown"});
    EXPECT_TRUE(may_change(w, tcp("10.0.0.1", 80), nothing)) << "it is lost with the protocol";
    EXPECT_FALSE(may_change(w, tcp("10.0.0.1", 80), all, protocol::L7::http));
}

TEST(Outlook, HostThatIsNotKnown) {
    for (const char* list : {"--hostlist-domains=a.com", "--hostlist-exclude-domains=a.com"}) {
        const World w({"--filter-tcp=80", list});
        EXPECT_TRUE(may_change(w, tcp("10.0.0.1", 80), nothing));
        EXPECT_TRUE(may_change(w, tcp("10.0.0.1", 80), l7_only, protocol::L7::http));
        EXPECT_FALSE(may_change(w, tcp("10.0.0.1", 80), host_only));
        EXPECT_FALSE(may_change(w, tcp("10.0.0.1", 81), nothing));
    }
}

TEST(Outlook, HostDoesNotMatterForAnotherProtocol) {
    const World w({"--filter-l7=tls", "--hostlist-domains=a.com"});
    EXPECT_TRUE(may_change(w, tcp("10.0.0.1", 80), nothing));
    EXPECT_TRUE(may_change(w, tcp("10.0.0.1", 80), l7_only, protocol::L7::tls));
    EXPECT_FALSE(may_change(w, tcp("10.0.0.1", 80), l7_only, protocol::L7::http));
}

TEST(Outlook, OnlyProfilesBeforeTheChosenOne) {
    const World w({"--filter-tcp=80", "--new", "--filter-l7=http", "--hostlist-domains=a.com"});
    EXPECT_FALSE(may_change(w, tcp("10.0.0.1", 80), nothing));
    EXPECT_TRUE(may_change(w, tcp("10.0.0.1", 81), nothing));
}

TEST(Outlook, NextPacketMayHaveAnotherMark) {
    const World w({"--filter-mark=1", "--new"});
    EXPECT_TRUE(may_change(w, tcp("10.0.0.1", 80), nothing));
    EXPECT_TRUE(may_change(w, tcp("10.0.0.1", 80), l7_only, protocol::L7::tls));
    EXPECT_FALSE(may_change(w, tcp("10.0.0.1", 80), all, protocol::L7::tls)) << "no more searches";
}

TEST(Outlook, ListsMayBeFilledLater) {
    const testing::TempDir folder;
    const World w({"--hostlist=" + folder.write("empty", "")});
    EXPECT_TRUE(may_change(w, tcp("10.0.0.1", 80), nothing));
}

} // namespace
} // namespace nfqws2::profile
