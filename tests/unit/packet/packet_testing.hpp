// Helpers of the packet tests: hex in both directions, and the packet most tables start from.
#pragma once

#include "nfqws2/base/random.hpp"
#include "nfqws2/base/text.hpp"
#include "nfqws2/packet/reconstruct.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::packet {

using Buffer = std::vector<std::uint8_t>;

// Blanks are allowed between digits.
inline Buffer hex(std::string_view text) {
    std::string digits;
    std::copy_if(text.begin(), text.end(), std::back_inserter(digits),
                 [](char c) { return c != ' '; });
    return from_hex(digits).value();
}

inline std::string upper_hex(Bytes data) {
    std::string text = to_hex(data);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c; });
    return text;
}

inline Random& test_random() {
    static const std::unique_ptr<Random> random = make_seeded_random(1);
    return *random;
}

// Builds into a buffer of its own; `error` is filled on failure.
struct Built {
    Buffer data;
    std::string error;
    std::string text() const { return upper_hex(data); }
};
inline Built build(const Blueprint& plan, const ReconstructOptions& options = {},
                   std::size_t room = 65536) {
    Buffer out(room);
    Reconstructed r = reconstruct(plan, options, test_random(), out);
    out.resize(r.size);
    return {std::move(out), r.error};
}

// 10.1.0.1 to 10.1.0.2, ttl 64, and fd00::1 to fd00::2: docs/contracts/wire.md#minimal-tables.
inline Blueprint plan4(std::uint8_t protocol) {
    Blueprint b;
    b.l3 = L3::ipv4;
    b.ip.ttl = 64;
    b.ip.protocol = protocol;
    b.ip.source = {10, 1, 0, 1};
    b.ip.destination = {10, 1, 0, 2};
    return b;
}
inline Blueprint plan6(std::uint8_t hop_limit = 0) {
    Blueprint b;
    b.l3 = L3::ipv6;
    b.ip6.hop_limit = hop_limit;
    b.ip6.source = {0xFD};
    b.ip6.source[15] = 1;
    b.ip6.destination = {0xFD};
    b.ip6.destination[15] = 2;
    return b;
}
inline Blueprint with_tcp(Blueprint b) {
    b.l4 = L4::tcp;
    b.tcp.source_port = 40000;
    b.tcp.destination_port = 443;
    b.tcp.seq = 1;
    b.tcp.ack = 2;
    b.tcp.flags = tcp_flag::ack;
    b.tcp.window = 100;
    return b;
}
inline Blueprint with_udp(Blueprint b) {
    b.l4 = L4::udp;
    b.udp.source_port = 1;
    b.udp.destination_port = 2;
    return b;
}
inline Blueprint with_icmp(Blueprint b, std::uint8_t type, std::uint32_t data) {
    b.l4 = L4::icmp;
    b.icmp.type = type;
    b.icmp.data = data;
    return b;
}

inline const std::string addresses6 =
    "FD000000000000000000000000000001FD000000000000000000000000000002";

} // namespace nfqws2::packet
