// Hand-made packets for the flow tests. Checksums are left zero: dissection does not look at them.
#pragma once

#include "nfqws2/packet/dissect.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::flow::test {

using Packet = std::vector<std::uint8_t>;
namespace tf = packet::tcp_flag;

struct Ends {
    std::string source = "10.1.0.1", destination = "10.2.0.1";
    std::uint16_t source_port = 1111, destination_port = 443;

    Ends reversed() const { return {destination, source, destination_port, source_port}; }
};

struct Segment {
    std::uint8_t flags = tf::ack;
    std::uint32_t seq = 0, ack = 0;
    std::uint16_t window = 0;
    Packet options = {}; // a multiple of four bytes
    std::size_t payload = 0;
};

Packet tcp(const Ends& ends, const Segment& segment);
Packet udp(const Ends& ends, std::size_t payload);
Packet icmp(const Ends& ends);
Packet mss_option(std::uint16_t mss);
Packet syn_options(std::uint16_t mss, std::uint8_t scale);

inline packet::Dissect dissected(const Packet& p) {
    return packet::dissect(p);
}

} // namespace nfqws2::flow::test
