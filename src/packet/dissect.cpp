#include "nfqws2/packet/dissect.hpp"

#include "header_sizes.hpp"
#include "nfqws2/packet/header_walk.hpp"

#include <algorithm>

namespace nfqws2::packet {

namespace {

constexpr std::uint16_t fragment_bits = 0x3FFF; // MF and the offset

std::size_t ipv4_header_size(Bytes raw) {
    return (raw[0] & 0x0FU) * 4U;
}

bool take_ipv4(Dissect& d, Bytes raw, Completeness completeness) {
    if (!looks_like_ipv4(raw)) return false;
    const std::size_t header = ipv4_header_size(raw);
    std::size_t total = load_be16(raw.data() + 2);
    if (completeness == Completeness::strict) {
        if (total < header || total > raw.size()) return false;
    } else if (total < header || total > raw.size()) {
        total = raw.size();
    }
    // No IP packet is longer, whatever the length of the input.
    d.packet = raw.first(std::min<std::size_t>(total, 65535));
    d.l3 = L3::ipv4;
    d.l3_len = static_cast<std::uint16_t>(header);
    d.l4proto = raw[9];
    const std::uint16_t off = load_be16(raw.data() + 6);
    d.fragment = (off & fragment_bits) != 0;
    d.frag_off = static_cast<std::uint16_t>((off & 0x1FFF) * 8);
    return true;
}

bool take_ipv6(Dissect& d, Bytes raw, Completeness completeness) {
    if (!looks_like_ipv6(raw)) return false;
    const std::size_t total = ipv6_base + load_be16(raw.data() + 4);
    if (completeness == Completeness::strict && total > raw.size()) return false;
    d.packet = raw.first(std::min(total, raw.size()));
    d.l3 = L3::ipv6;
    d.l4proto = raw[6];

    ExtensionWalk walk(d.packet);
    ExtensionHeader header;
    while (walk.next(header)) {
        if (header.type != proto::fragment) continue;
        const std::uint16_t field = load_be16(header.data.data());
        d.frag_off = field & 0xFFF8;
        d.fragment = (field & 0xFFF9) != 0;
    }
    if (walk.reached_upper()) d.l4proto = walk.last_type();
    d.l3_len = static_cast<std::uint16_t>(walk.end());
    return true;
}

void take_l4(Dissect& d, Completeness completeness) {
    const Bytes rest = d.packet.subspan(d.l3_len);
    std::size_t size = 0;
    switch (d.l4proto) {
    case proto::tcp:
        if (!looks_like_tcp(rest)) return;
        size = (rest[12] >> 4) * 4U;
        d.l4 = L4::tcp;
        break;
    case proto::udp: {
        if (rest.size() < udp_base) return;
        const std::size_t length = load_be16(rest.data() + 4);
        if (completeness == Completeness::strict && (length < udp_base || length > rest.size()))
            return;
        size = udp_base;
        d.l4 = L4::udp;
        break;
    }
    case proto::icmp:
    case proto::icmpv6:
        if (rest.size() < icmp_base) return;
        size = icmp_base;
        d.l4 = L4::icmp;
        break;
    default:
        return;
    }
    d.l4_len = static_cast<std::uint16_t>(size);
}

} // namespace

bool looks_like_ipv4(Bytes raw) {
    if (raw.size() < ipv4_base || raw[0] >> 4 != 4) return false;
    const std::size_t header = ipv4_header_size(raw);
    return header >= ipv4_base && header <= raw.size();
}

bool looks_like_ipv6(Bytes raw) {
    return raw.size() >= ipv6_base && raw[0] >> 4 == 6;
}

bool looks_like_tcp(Bytes raw) {
    if (raw.size() < tcp_base) return false;
    const std::size_t header = (raw[12] >> 4) * 4U;
    return header >= tcp_base && header <= raw.size();
}

Dissect dissect(Bytes raw, Completeness completeness) {
    Dissect d;
    if (!take_ipv4(d, raw, completeness) && !take_ipv6(d, raw, completeness)) return d;
    d.transport_len = static_cast<std::uint32_t>(d.packet.size() - d.l3_len);
    if (!d.fragment) take_l4(d, completeness);
    d.payload = d.packet.subspan(std::size_t{d.l3_len} + d.l4_len);
    return d;
}

IpAddress Dissect::source() const {
    if (l3 == L3::none) return {};
    return l3 == L3::ipv4 ? IpAddress::v4(ip() + 12) : IpAddress::v6(ip() + 8);
}

IpAddress Dissect::destination() const {
    if (l3 == L3::none) return {};
    return l3 == L3::ipv4 ? IpAddress::v4(ip() + 16) : IpAddress::v6(ip() + 24);
}

} // namespace nfqws2::packet
