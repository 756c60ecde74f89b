// The packet that --explain asks about.
#pragma once

#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/profile/filter_table.hpp"
#include "nfqws2/protocol/names.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfqws2::app {

struct ExplainQuery {
    std::string text; // as given
    std::uint8_t l4proto = 0;
    IpAddress address;      // of the far end
    std::uint16_t port = 0; // of the server; for ICMP the type
    std::optional<std::string> host;
    bool host_is_ip = false;
    protocol::L7 l7 = protocol::L7::unknown;
    std::optional<protocol::Payload> payload;
    bool outgoing = true;
    std::vector<std::pair<const profile::FilterRow*, std::string>> stated; // what filters look at

    bool is_icmp() const;
    bool states(std::string_view option) const; // what the filter of this name looks at
    // Something becomes known about the flow after its first packet.
    bool learns() const { return host || l7 != protocol::L7::unknown; }
};

// <tcp|udp|icmp|icmpv6|number>:<ip>[:<port>][,host=..][,l7=..][,payload=..][,dir=in|out] and the
// keys of profile/filter_table.hpp, an IPv6 address with a port in brackets. Throws BadValue.
ExplainQuery parse_explain(const std::string& text);

} // namespace nfqws2::app
