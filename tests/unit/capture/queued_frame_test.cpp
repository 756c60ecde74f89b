#include "capture/queued_frame.hpp"

#include "nfqws2/base/text.hpp"

#include <gtest/gtest.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>

#include <arpa/inet.h>
#include <string>

namespace nfqws2::capture {
namespace {

constexpr std::uint16_t vlan = 19, whole_header = 20; // NFQA_VLAN, NFQA_L2HDR

// A message of the queue, as the kernel puts it together.
class Message {
  public:
    Message() : header_(mnl_nlmsg_put_header(buffer_)) {
        mnl_nlmsg_put_extra_header(header_, sizeof(nfgenmsg));
        nfqnl_msg_packet_hdr packet{};
        packet.hw_protocol = htons(0x0800);
        mnl_attr_put(header_, NFQA_PACKET_HDR, sizeof(packet), &packet);
    }
    Message& put(std::uint16_t type, const std::string& hex) {
        const auto bytes = *from_hex(hex);
        mnl_attr_put(header_, type, bytes.size(), bytes.data());
        return *this;
    }
    Message& source(const std::string& hex) {
        nfqnl_msg_packet_hw hardware{};
        const auto bytes = *from_hex(hex);
        hardware.hw_addrlen = htons(static_cast<std::uint16_t>(bytes.size()));
        std::copy(bytes.begin(), bytes.end(), hardware.hw_addr);
        mnl_attr_put(header_, NFQA_HWADDR, sizeof(hardware), &hardware);
        return *this;
    }
    Message& tag(std::uint16_t protocol, std::uint16_t tci) {
        nlattr* nest = mnl_attr_nest_start(header_, vlan);
        mnl_attr_put_u16(header_, 2, htons(tci));
        mnl_attr_put_u16(header_, 1, htons(protocol));
        mnl_attr_nest_end(header_, nest);
        return *this;
    }
    std::string link() const { return to_hex(queued_link(header_).view()); }
    std::string header(Bytes own = {}) const {
        return to_hex(queued_header(header_, queued_link(header_), own).view());
    }

  private:
    alignas(nlmsghdr) char buffer_[1024] = {};
    nlmsghdr* header_;
};

const std::string ethernet = "0200000000010200000000020800";

TEST(QueuedFrame, OfABridgeIsWhole) {
    EXPECT_EQ(Message().put(whole_header, ethernet).link(), ethernet);
    EXPECT_EQ(Message().put(whole_header, ethernet).header(), ethernet);
    EXPECT_EQ(Message().tag(0x8100, 0x2005).put(whole_header, ethernet).link(),
              "020000000001020000000002810020050800");
    EXPECT_EQ(Message().tag(0x8100, 0x2005).put(whole_header, ethernet).header(), ethernet);
    EXPECT_EQ(Message()
                  .put(whole_header, "0200000000010200000000028864110000010023"
                                     "0021")
                  .link(),
              "02000000000102000000000288641100000100230021");
}

TEST(QueuedFrame, ElsewhereOnlyTheSourceIsKnown) {
    const std::vector<std::uint8_t> own{2, 0, 0, 0, 0, 9};
    EXPECT_EQ(Message().link(), "");
    EXPECT_EQ(Message().header(own), "");
    EXPECT_EQ(Message().source("020000000002").link(), "");
    EXPECT_EQ(Message().source("020000000002").header(own), "0200000000090200000000020800");
    EXPECT_EQ(Message().source("020000000002").header(), "0000000000000200000000020800");
    EXPECT_EQ(Message().source("0200000000020304").header(own), "");
}

TEST(QueuedFrame, WhatIsTooShortIsNotThere) {
    EXPECT_EQ(Message().put(whole_header, "02000000000102000000000208").link(), "");
    EXPECT_EQ(Message().put(vlan, "").put(whole_header, ethernet).link(), ethernet);
    EXPECT_EQ(Message().put(vlan, "0500010081").put(whole_header, ethernet).link(), ethernet);
    EXPECT_EQ(Message().put(whole_header, std::string(400, '0')).link(), "");
}

} // namespace
} // namespace nfqws2::capture
