#include "nfqws2/packet/proto_name.hpp"

#include "nfqws2/packet/dissect.hpp"

namespace nfqws2::packet {

std::string proto_name(std::uint8_t l4proto) {
    switch (l4proto) {
    case proto::tcp:
        return "tcp";
    case proto::udp:
        return "udp";
    case proto::icmp:
        return "icmp";
    case proto::icmpv6:
        return "icmp6";
    default:
        return std::to_string(l4proto);
    }
}

} // namespace nfqws2::packet
