#include "nfqws2/packet/blueprint.hpp"

#include "nfqws2/packet/header_walk.hpp"

#include <algorithm>

namespace nfqws2::packet {

namespace {

template <std::size_t N> std::array<std::uint8_t, N> array_at(const std::uint8_t* p) {
    std::array<std::uint8_t, N> a;
    std::copy_n(p, N, a.begin());
    return a;
}

Ipv4Fields ipv4_fields(const Dissect& d) {
    const std::uint8_t* p = d.ip();
    Ipv4Fields f;
    f.tos = p[1];
    f.len = load_be16(p + 2);
    f.id = load_be16(p + 4);
    f.off = load_be16(p + 6);
    f.ttl = p[8];
    f.protocol = p[9];
    f.source = array_at<4>(p + 12);
    f.destination = array_at<4>(p + 16);
    f.options = d.packet.subspan(20, d.l3_len - 20U);
    return f;
}

Ipv6Fields ipv6_fields(const Dissect& d, std::vector<ExtensionField>& extensions) {
    const std::uint8_t* p = d.ip();
    Ipv6Fields f;
    f.flow = load_be32(p);
    f.payload_len = load_be16(p + 4);
    f.next = p[6];
    f.hop_limit = p[7];
    f.source = array_at<16>(p + 8);
    f.destination = array_at<16>(p + 24);
    extensions.clear();
    ExtensionWalk walk(d.packet);
    ExtensionHeader header;
    while (walk.next(header))
        extensions.push_back({header.type, header.next, header.data});
    f.extensions = extensions;
    return f;
}

TcpFields tcp_fields(const Dissect& d, std::span<TcpOptionField> options) {
    const std::uint8_t* p = d.transport();
    TcpFields f;
    f.source_port = load_be16(p);
    f.destination_port = load_be16(p + 2);
    f.seq = load_be32(p + 4);
    f.ack = load_be32(p + 8);
    f.x2 = p[12] & 0x0F;
    f.flags = p[13];
    f.window = load_be16(p + 14);
    f.checksum = load_be16(p + 16);
    f.urgent = load_be16(p + 18);
    std::size_t count = 0;
    TcpOptionWalk walk(tcp_options(d));
    TcpOption option;
    while (count < options.size() && walk.next(option))
        options[count++] = {option.kind, option.data};
    f.options = options.first(count);
    return f;
}

} // namespace

std::uint8_t raw_protocol_of(std::uint8_t l4proto) {
    return is_extension_header(l4proto) ? proto::none : l4proto;
}

Blueprint blueprint_of(const Dissect& d, BlueprintScratch& scratch) {
    Blueprint plan;
    plan.l3 = d.l3;
    plan.l4 = d.l4;
    plan.fragment_mode = d.fragment;
    plan.payload = d.payload;
    plan.raw_protocol = raw_protocol_of(d.l4proto);
    if (d.l3 == L3::ipv4) plan.ip = ipv4_fields(d);
    if (d.l3 == L3::ipv6) plan.ip6 = ipv6_fields(d, scratch.extensions);
    if (!d.is_ip()) return plan;
    const std::uint8_t* p = d.transport();
    switch (d.l4) {
    case L4::tcp:
        plan.tcp = tcp_fields(d, scratch.tcp_options);
        break;
    case L4::udp:
        plan.udp = {load_be16(p), load_be16(p + 2), load_be16(p + 4), load_be16(p + 6)};
        break;
    case L4::icmp:
        plan.icmp = {p[0], p[1], load_be16(p + 2), load_be32(p + 4)};
        break;
    case L4::none:
        break;
    }
    return plan;
}

} // namespace nfqws2::packet
