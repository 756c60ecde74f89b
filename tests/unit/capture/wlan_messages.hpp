// Messages of generic netlink as the kernel builds them.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <array>
#include <cstdint>
#include <initializer_list>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/nl80211.h>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::capture::testing_wlan {

using Buffer = std::vector<std::uint8_t>;

class Message {
  public:
    explicit Message(std::uint8_t command, std::uint16_t type = 28) {
        header_ = mnl_nlmsg_put_header(buffer_.data());
        header_->nlmsg_type = type;
        auto* generic =
            static_cast<genlmsghdr*>(mnl_nlmsg_put_extra_header(header_, sizeof(genlmsghdr)));
        generic->cmd = command;
    }
    Message& u16(std::uint16_t type, std::uint16_t value) {
        mnl_attr_put_u16(header_, type, value);
        return *this;
    }
    Message& u32(std::uint16_t type, std::uint32_t value) {
        mnl_attr_put_u32(header_, type, value);
        return *this;
    }
    Message& text(std::uint16_t type, const char* value) {
        mnl_attr_put_strz(header_, type, value);
        return *this;
    }
    Message& bytes(std::uint16_t type, const Buffer& value) {
        mnl_attr_put(header_, type, value.size(), value.data());
        return *this;
    }
    template <typename Fill> Message& nested(std::uint16_t type, Fill fill) {
        nlattr* start = mnl_attr_nest_start(header_, type);
        fill(*this);
        mnl_attr_nest_end(header_, start);
        return *this;
    }
    Message& sequence(std::uint32_t number) {
        header_->nlmsg_seq = number;
        return *this;
    }
    Bytes data() const { return {buffer_.data(), header_->nlmsg_len}; }

  private:
    alignas(nlmsghdr) std::array<std::uint8_t, 4096> buffer_{};
    nlmsghdr* header_;
};

inline Buffer element(std::uint8_t id, std::string_view content) {
    const std::string head{static_cast<char>(id), static_cast<char>(content.size())};
    const std::string all = head + std::string(content);
    return {all.begin(), all.end()};
}

inline Buffer elements(std::initializer_list<Buffer> list) {
    Buffer all;
    for (const Buffer& e : list)
        all.insert(all.end(), e.begin(), e.end());
    return all;
}

inline Message scan_result(std::uint32_t status, const Buffer& information) {
    Message m(NL80211_CMD_NEW_SCAN_RESULTS);
    m.u32(NL80211_ATTR_GENERATION, 7).u32(NL80211_ATTR_IFINDEX, 3);
    m.nested(NL80211_ATTR_BSS, [&](Message& bss) {
        bss.bytes(NL80211_BSS_BSSID, {2, 0, 0, 0, 0, 1}).u32(NL80211_BSS_FREQUENCY, 2437);
        bss.bytes(NL80211_BSS_INFORMATION_ELEMENTS, information);
        bss.u32(NL80211_BSS_STATUS, status);
    });
    return m;
}

} // namespace nfqws2::capture::testing_wlan
