// The generic netlink messages behind WlanInfo: requests, and what is read out of the answers.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <cstdint>
#include <optional>
#include <string>

struct nlmsghdr;

namespace nfqws2::capture {

inline constexpr std::size_t wlan_request_size = 256; // room that a request needs at most

// Each builds its message in `buffer` (aligned for nlmsghdr, wlan_request_size bytes) and returns
// it; sequence number and flags of the answer are the caller's.
nlmsghdr* build_family_request(void* buffer);                           // of "nl80211"
nlmsghdr* build_interfaces_request(void* buffer, std::uint16_t family); // all interfaces
nlmsghdr* build_scan_request(void* buffer, std::uint16_t family, std::uint32_t interface);

struct WlanInterface {
    std::uint32_t index = 0;
    std::string name;
};

// `message` is one whole netlink message as received; anything may be in it.
std::optional<std::uint16_t> parse_family(Bytes message);
std::optional<WlanInterface> parse_wlan_interface(Bytes message);
// The network of a scan result if it is the one the interface belongs to.
std::optional<std::string> parse_connected_ssid(Bytes message);

// SSID out of information elements (IEEE 802.11): at most 32 bytes, up to the first NUL.
std::optional<std::string> find_ssid(Bytes elements);

} // namespace nfqws2::capture
