// What a packet shows to the search for its profile.
#pragma once

#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/profile/ct_filters.hpp"
#include "nfqws2/protocol/names.hpp"

#include <cstdint>
#include <string_view>

namespace nfqws2::profile {

struct Query {
    std::uint32_t mark = 0; // of the packet
    std::uint8_t l4proto = 0;
    IpAddress address;                 // family decides --filter-l3
    const IpAddress* second = nullptr; // ICMP and raw IP
    std::uint16_t port = 0, lport = 0; // server's port, initiator's port
    std::uint8_t icmp_type = 255, icmp_code = 255;
    protocol::L7 l7 = protocol::L7::unknown;
    bool has_hostname = false;
    bool hostname_is_ip = false;
    std::string_view hostname;
    std::string_view ssid; // "" = unknown
    CtQuery ct;            // with --ct only
};

} // namespace nfqws2::profile
