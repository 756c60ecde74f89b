#include "nfqws2/capture/network_info.hpp"

#include "net_lab.hpp"

#include <algorithm>

namespace nfqws2::capture {
namespace {

IpAddress ip(const char* text) {
    return IpAddress::parse(text).value_or(IpAddress{});
}

class LiveNetworkInfoTest : public test::NetLab {};

TEST_F(LiveNetworkInfoTest, SourceAddressFollowsTheRoute) {
    LiveNetworkInfo info;
    EXPECT_EQ(info.source_for(ip("10.9.0.2")), ip("10.9.0.1"));
    EXPECT_EQ(info.source_for(ip("fd09::2")), ip("fd09::1"));
    EXPECT_EQ(info.source_for(ip("127.0.0.1")), ip("127.0.0.1"));
    EXPECT_TRUE(info.source_for(ip("203.0.113.1")).empty()) << "no route";
    EXPECT_TRUE(info.source_for({}).empty());
}

TEST_F(LiveNetworkInfoTest, InterfacesWithAddressesOnly) {
    ASSERT_TRUE(test::shell("ip addr add 10.8.0.5/16 brd 10.8.255.255 dev nq0"));
    ASSERT_TRUE(test::shell("ip link add bare type veth peer name bare2"));
    LiveNetworkInfo info([](std::string_view name) -> std::string_view {
        return name == "nq0" ? "my network" : "";
    });
    const auto list = info.interfaces();
    ASSERT_TRUE(list);
    ASSERT_EQ(list->size(), 2U) << "lo and nq0, not the one without addresses";
    const auto found = std::find_if(list->begin(), list->end(),
                                    [](const Interface& i) { return i.name == "nq0"; });
    ASSERT_NE(found, list->end());
    EXPECT_EQ(found->index, if_nametoindex("nq0"));
    EXPECT_EQ(found->mtu, 1500U);
    EXPECT_EQ(found->flags & (IFF_UP | IFF_BROADCAST | IFF_LOOPBACK),
              static_cast<unsigned>(IFF_UP | IFF_BROADCAST));
    EXPECT_EQ(found->ssid, "my network");
    ASSERT_GE(found->addresses.size(), 3U);
    EXPECT_EQ(found->addresses[0].address, ip("10.9.0.1"));
    EXPECT_EQ(found->addresses[0].netmask, ip("255.255.255.0"));
    EXPECT_EQ(found->addresses[1].address, ip("10.8.0.5"));
    EXPECT_EQ(found->addresses[1].broadcast, ip("10.8.255.255"));
    EXPECT_EQ(found->addresses[1].destination, ip("10.8.255.255"));
    const auto& six = found->addresses[2];
    EXPECT_EQ(six.address, ip("fd09::1"));
    EXPECT_EQ(six.netmask, ip("ffff:ffff:ffff:ffff::"));
    EXPECT_TRUE(six.broadcast.empty());
    EXPECT_TRUE(six.destination.empty());
}

TEST(Network, Contains) {
    const Network four{ip("192.0.2.128"), 25}, six{ip("2001:db8::"), 33}, all{ip("0.0.0.0"), 0};
    EXPECT_TRUE(four.contains(ip("192.0.2.255")));
    EXPECT_FALSE(four.contains(ip("192.0.2.127")));
    EXPECT_FALSE(four.contains(ip("c000:2ff::")));
    EXPECT_TRUE(six.contains(ip("2001:db8:7fff::1")));
    EXPECT_FALSE(six.contains(ip("2001:db8:8000::1")));
    EXPECT_TRUE(all.contains(ip("255.1.2.3")));
    EXPECT_FALSE(all.contains({}));
    EXPECT_TRUE((Network{ip("::1"), 128}.contains(ip("::1"))));
}

TEST(OfflineNetworkInfo, AnswersFromItsTable) {
    OfflineNetworkInfo info(
        "pcap7", {{ip("192.0.2.10"), 24}, {ip("198.51.100.1"), 32}, {ip("2001:db8:1::10"), 128}});
    EXPECT_EQ(info.source_for(ip("8.8.8.8")), ip("192.0.2.10"));
    EXPECT_EQ(info.source_for(ip("198.51.100.1")), ip("198.51.100.1"));
    EXPECT_EQ(info.source_for(ip("::1")), ip("2001:db8:1::10"));
    const auto list = info.interfaces();
    ASSERT_TRUE(list);
    ASSERT_EQ(list->size(), 1U);
    const Interface& i = list->front();
    EXPECT_EQ(i.name, "pcap7");
    EXPECT_EQ(i.index, OfflineNetworkInfo::interface_index);
    EXPECT_EQ(i.mtu, 1500U);
    ASSERT_EQ(i.addresses.size(), 3U);
    EXPECT_EQ(i.addresses[0].netmask, ip("255.255.255.0"));
    EXPECT_EQ(i.addresses[0].broadcast, ip("192.0.2.255"));
    EXPECT_EQ(i.addresses[0].destination, ip("192.0.2.255"));
    EXPECT_EQ(i.addresses[2].netmask, ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    EXPECT_TRUE(i.addresses[2].broadcast.empty());
}

TEST(OfflineNetworkInfo, WithoutAddressesThereIsNoRoute) {
    OfflineNetworkInfo info("pcap0", {});
    EXPECT_TRUE(info.source_for(ip("8.8.8.8")).empty());
    EXPECT_TRUE(info.interfaces()->empty());
}

} // namespace
} // namespace nfqws2::capture
