#include "tuple.hpp"

#include <cstring>

namespace nfqws2::flow {

std::uint32_t Tuple::hash(const SipKey& key) const {
    std::array<std::uint8_t, 40> text{};
    const int order = std::memcmp(source.data(), destination.data(), 16);
    const bool swap = order > 0 || (order == 0 && source_port > destination_port);
    std::memcpy(text.data(), (swap ? destination : source).data(), 16);
    std::memcpy(text.data() + 16, (swap ? source : destination).data(), 16);
    store_be16(text.data() + 32, swap ? destination_port : source_port);
    store_be16(text.data() + 34, swap ? source_port : destination_port);
    text[36] = static_cast<std::uint8_t>((tcp ? 1 : 0) | (ipv6 ? 2 : 0));
    return table_hash(key, text);
}

Tuple Tuple::of(const packet::Dissect& d) {
    Tuple t;
    t.ipv6 = d.l3 == packet::L3::ipv6;
    const std::size_t size = t.ipv6 ? 16 : 4, offset = t.ipv6 ? 8 : 12;
    std::memcpy(t.source.data(), d.ip() + offset, size);
    std::memcpy(t.destination.data(), d.ip() + offset + size, size);
    t.source_port = d.source_port();
    t.destination_port = d.destination_port();
    t.tcp = d.l4proto == packet::proto::tcp;
    return t;
}

bool is_tracked(const packet::Dissect& d) {
    return d.is_ip() && !d.fragment && (d.l4 == packet::L4::tcp || d.l4 == packet::L4::udp);
}

bool has_ports(const packet::Dissect& d) {
    return d.is_ip() && !d.fragment &&
           (d.l4proto == packet::proto::tcp || d.l4proto == packet::proto::udp) &&
           d.packet.size() >= std::size_t{d.l3_len} + 4;
}

} // namespace nfqws2::flow
