// The packet that --explain asks about.
#pragma once

#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/protocol/names.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace nfqws2::app {

struct ExplainQuery {
    std::string text; // as given
    std::uint8_t l4proto = 0;
    IpAddress address;       // of the far end
    std::uint16_t port = 0;  // of the server; for ICMP the type
    std::uint16_t lport = 0; // of the initiator, 0 = not stated
    std::optional<std::uint8_t> icmp_code;
    std::optional<std::string> host;
    bool host_is_ip = false;
    protocol::L7 l7 = protocol::L7::unknown;
    std::optional<protocol::Payload> payload;
    std::string ssid;
    std::uint32_t mark = 0;
    bool outgoing = true;

    bool is_icmp() const;
    // Something becomes known about the flow after its first packet.
    bool learns() const { return host || l7 != protocol::L7::unknown; }
};

// <tcp|udp|icmp|icmpv6|number>:<ip>[:<port>][,host=..][,l7=..][,payload=..][,ssid=..][,mark=..]
// [,dir=in|out][,lport=..][,code=..], an IPv6 address with a port in brackets. Throws BadValue.
ExplainQuery parse_explain(const std::string& text);

} // namespace nfqws2::app
