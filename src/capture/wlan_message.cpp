#include "nfqws2/capture/wlan_message.hpp"

#include <cstring>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/nl80211.h>

namespace nfqws2::capture {

namespace {

constexpr std::size_t max_ssid = 32;
constexpr std::size_t attribute_header = 4;

// One netlink attribute; the type is without the flag bits.
struct Attribute {
    std::uint16_t type = 0;
    Bytes data;
};

// Takes an attribute off the front; nullopt at the end and at anything malformed.
std::optional<Attribute> take_attribute(Bytes& rest) {
    nlattr header{};
    if (rest.size() < attribute_header) return std::nullopt;
    std::memcpy(&header, rest.data(), attribute_header);
    if (header.nla_len < attribute_header || header.nla_len > rest.size()) return std::nullopt;
    const Bytes data = clipped(rest, attribute_header, header.nla_len - attribute_header);
    rest = clipped(rest, (header.nla_len + 3U) & ~3U);
    return Attribute{static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK), data};
}

// The first attribute of a type; empty if there is none.
Bytes find_attribute(Bytes attributes, std::uint16_t type) {
    while (const auto attribute = take_attribute(attributes))
        if (attribute->type == type) return attribute->data;
    return {};
}

template <typename Number> std::optional<Number> number_of(Bytes data) {
    if (data.size() != sizeof(Number)) return std::nullopt;
    Number value = 0;
    std::memcpy(&value, data.data(), sizeof(value));
    return value;
}

std::string c_text(Bytes data) {
    const std::string_view text = as_text(data);
    return std::string(text.substr(0, text.find('\0')));
}

// What follows the generic netlink header; empty if the message is too short.
Bytes attributes_of(Bytes message) {
    return clipped(message, MNL_NLMSG_HDRLEN + GENL_HDRLEN);
}

nlmsghdr* build(void* buffer, std::uint16_t type, std::uint8_t command, std::uint8_t version,
                std::uint16_t flags) {
    nlmsghdr* message = mnl_nlmsg_put_header(buffer);
    message->nlmsg_type = type;
    message->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    auto* generic =
        static_cast<genlmsghdr*>(mnl_nlmsg_put_extra_header(message, sizeof(genlmsghdr)));
    generic->cmd = command;
    generic->version = version;
    return message;
}

} // namespace

nlmsghdr* build_family_request(void* buffer) {
    nlmsghdr* message = build(buffer, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, NLM_F_ACK);
    mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, NL80211_GENL_NAME);
    return message;
}

nlmsghdr* build_interfaces_request(void* buffer, std::uint16_t family) {
    return build(buffer, family, NL80211_CMD_GET_INTERFACE, 0, NLM_F_DUMP);
}

nlmsghdr* build_scan_request(void* buffer, std::uint16_t family, std::uint32_t interface) {
    nlmsghdr* message = build(buffer, family, NL80211_CMD_GET_SCAN, 0, NLM_F_DUMP);
    mnl_attr_put_u32(message, NL80211_ATTR_IFINDEX, interface);
    return message;
}

std::optional<std::uint16_t> parse_family(Bytes message) {
    return number_of<std::uint16_t>(find_attribute(attributes_of(message), CTRL_ATTR_FAMILY_ID));
}

std::optional<WlanInterface> parse_wlan_interface(Bytes message) {
    const Bytes attributes = attributes_of(message);
    const auto index = number_of<std::uint32_t>(find_attribute(attributes, NL80211_ATTR_IFINDEX));
    std::string name = c_text(find_attribute(attributes, NL80211_ATTR_IFNAME));
    if (!index || name.empty()) return std::nullopt; // a device without a network interface
    return WlanInterface{*index, std::move(name)};
}

std::optional<std::string> parse_connected_ssid(Bytes message) {
    const Bytes bss = find_attribute(attributes_of(message), NL80211_ATTR_BSS);
    const auto status = number_of<std::uint32_t>(find_attribute(bss, NL80211_BSS_STATUS));
    if (!status ||
        (*status != NL80211_BSS_STATUS_AUTHENTICATED && *status != NL80211_BSS_STATUS_ASSOCIATED &&
         *status != NL80211_BSS_STATUS_IBSS_JOINED))
        return std::nullopt;
    return find_ssid(find_attribute(bss, NL80211_BSS_INFORMATION_ELEMENTS));
}

std::optional<std::string> find_ssid(Bytes elements) {
    constexpr std::uint8_t ssid_element = 0;
    while (elements.size() >= 2) {
        const std::size_t length = elements[1];
        if (elements.size() < 2 + length) return std::nullopt;
        if (elements[0] == ssid_element)
            return c_text(clipped(elements, 2, length < max_ssid ? length : max_ssid));
        elements = clipped(elements, 2 + length);
    }
    return std::nullopt;
}

} // namespace nfqws2::capture
