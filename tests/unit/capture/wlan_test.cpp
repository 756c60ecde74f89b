#include "nfqws2/capture/wlan_message.hpp"

#include "wlan_messages.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace nfqws2::capture {
namespace {

using namespace testing_wlan;

TEST(WlanMessage, FamilyRequest) {
    alignas(nlmsghdr) std::uint8_t buffer[wlan_request_size];
    const nlmsghdr* message = build_family_request(buffer);
    EXPECT_EQ(message->nlmsg_type, GENL_ID_CTRL);
    EXPECT_EQ(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
    const Bytes bytes(buffer, message->nlmsg_len);
    const Buffer want{CTRL_CMD_GETFAMILY,
                      1,
                      0,
                      0,
                      12,
                      0,
                      CTRL_ATTR_FAMILY_NAME,
                      0,
                      'n',
                      'l',
                      '8',
                      '0',
                      '2',
                      '1',
                      '1',
                      '\0'};
    const Bytes behind_header = bytes.subspan(MNL_NLMSG_HDRLEN);
    EXPECT_EQ(Buffer(behind_header.begin(), behind_header.end()), want);
}

TEST(WlanMessage, DumpRequests) {
    alignas(nlmsghdr) std::uint8_t buffer[wlan_request_size];
    const nlmsghdr* interfaces = build_interfaces_request(buffer, 28);
    EXPECT_EQ(interfaces->nlmsg_type, 28);
    EXPECT_EQ(interfaces->nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
    EXPECT_EQ(interfaces->nlmsg_len, 20U);
    EXPECT_EQ(buffer[16], NL80211_CMD_GET_INTERFACE);

    const nlmsghdr* scan = build_scan_request(buffer, 28, 3);
    EXPECT_EQ(scan->nlmsg_flags, NLM_F_REQUEST | NLM_F_DUMP);
    EXPECT_EQ(scan->nlmsg_len, 28U);
    EXPECT_EQ(buffer[16], NL80211_CMD_GET_SCAN);
    const auto* attribute = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(scan, 4));
    EXPECT_EQ(mnl_attr_get_type(attribute), NL80211_ATTR_IFINDEX);
    EXPECT_EQ(mnl_attr_get_u32(attribute), 3U);
}

TEST(WlanMessage, Family) {
    Message m(CTRL_CMD_NEWFAMILY, GENL_ID_CTRL);
    m.text(CTRL_ATTR_FAMILY_NAME, "nl80211").u16(CTRL_ATTR_FAMILY_ID, 28);
    EXPECT_EQ(parse_family(m.data()), 28);
    EXPECT_EQ(parse_family(Message(CTRL_CMD_NEWFAMILY).text(CTRL_ATTR_FAMILY_NAME, "x").data()),
              std::nullopt);
    EXPECT_EQ(parse_family(Message(CTRL_CMD_NEWFAMILY).u32(CTRL_ATTR_FAMILY_ID, 28).data()),
              std::nullopt)
        << "wrong size";
    EXPECT_EQ(parse_family({}), std::nullopt);
}

TEST(WlanMessage, Interface) {
    Message m(NL80211_CMD_NEW_INTERFACE);
    m.u32(NL80211_ATTR_IFINDEX, 3).text(NL80211_ATTR_IFNAME, "wlan0").u32(NL80211_ATTR_WIPHY, 0);
    const auto interface = parse_wlan_interface(m.data());
    ASSERT_TRUE(interface);
    EXPECT_EQ(interface->index, 3U);
    EXPECT_EQ(interface->name, "wlan0");
    EXPECT_FALSE(
        parse_wlan_interface(Message(NL80211_CMD_NEW_INTERFACE).u32(NL80211_ATTR_WIPHY, 0).data()))
        << "a P2P device has neither index nor name";
}

TEST(WlanMessage, OnlyOwnNetworksCount) {
    const Buffer ies = elements({element(0, "home"), element(1, "\x82\x84")});
    for (const std::uint32_t status :
         {NL80211_BSS_STATUS_AUTHENTICATED, NL80211_BSS_STATUS_ASSOCIATED,
          NL80211_BSS_STATUS_IBSS_JOINED})
        EXPECT_EQ(parse_connected_ssid(scan_result(status, ies).data()), "home");
    EXPECT_EQ(parse_connected_ssid(scan_result(3, ies).data()), std::nullopt);

    Message foreign(NL80211_CMD_NEW_SCAN_RESULTS);
    foreign.nested(NL80211_ATTR_BSS,
                   [&](Message& bss) { bss.bytes(NL80211_BSS_INFORMATION_ELEMENTS, ies); });
    EXPECT_EQ(parse_connected_ssid(foreign.data()), std::nullopt) << "no status";
    EXPECT_EQ(parse_connected_ssid(Message(NL80211_CMD_NEW_SCAN_RESULTS).data()), std::nullopt);
}

TEST(WlanMessage, SsidElement) {
    EXPECT_EQ(find_ssid(element(0, "my net")), "my net");
    EXPECT_EQ(find_ssid(elements({element(1, "x"), element(48, ""), element(0, "late")})), "late");
    EXPECT_EQ(find_ssid(element(0, "")), "") << "hidden";
    EXPECT_EQ(find_ssid(element(0, std::string(32, 'a'))), std::string(32, 'a'));
    EXPECT_EQ(find_ssid(element(0, std::string(40, 'a'))), std::string(32, 'a'));
    EXPECT_EQ(find_ssid(element(0, std::string_view("ab\0cd", 5))), "ab");
    EXPECT_EQ(find_ssid(element(0, "\xD0\x96")), "\xD0\x96");
    EXPECT_EQ(find_ssid(Buffer{0, 5, 'a', 'b'}), std::nullopt) << "cut";
    EXPECT_EQ(find_ssid(Buffer{1, 200, 'a'}), std::nullopt) << "the one before is cut";
    EXPECT_EQ(find_ssid(Buffer{0}), std::nullopt);
    EXPECT_EQ(find_ssid({}), std::nullopt);
}

TEST(WlanMessage, AnyCutIsSurvived) {
    const Message m = scan_result(1, element(0, "home"));
    for (std::size_t size = 0; size < m.data().size(); size++) {
        const Buffer cut(m.data().begin(), m.data().begin() + static_cast<std::ptrdiff_t>(size));
        parse_connected_ssid(cut);
        parse_wlan_interface(cut);
        parse_family(cut);
    }
    // An attribute that claims to be empty or longer than the message.
    Buffer broken(m.data().begin(), m.data().end());
    for (const unsigned value : {0U, 3U, 65535U}) {
        const auto length = static_cast<std::uint16_t>(value);
        std::memcpy(&broken[20], &length, 2);
        EXPECT_EQ(parse_connected_ssid(broken), std::nullopt) << length;
    }
}

} // namespace
} // namespace nfqws2::capture
