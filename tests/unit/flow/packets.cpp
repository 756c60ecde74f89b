#include "packets.hpp"

#include "nfqws2/base/ip_address.hpp"

namespace nfqws2::flow::test {

namespace {

void put16(Packet& p, std::size_t v) {
    p.push_back(static_cast<std::uint8_t>(v >> 8));
    p.push_back(static_cast<std::uint8_t>(v));
}

void put32(Packet& p, std::uint32_t v) {
    put16(p, v >> 16);
    put16(p, v & 0xFFFF);
}

void put(Packet& p, Bytes b) {
    p.insert(p.end(), b.begin(), b.end());
}

Packet ip_header(const Ends& ends, std::uint8_t protocol, std::size_t size) {
    const IpAddress from = IpAddress::parse(ends.source).value();
    const IpAddress to = IpAddress::parse(ends.destination).value();
    Packet p;
    if (from.version == 4) {
        p = {0x45, 0};
        put16(p, 20 + size);
        put32(p, 0);
        p.push_back(64);
        p.push_back(protocol);
        put16(p, 0);
    } else {
        p = {0x60, 0x01, 0x23, 0x45};
        put16(p, size);
        p.push_back(protocol);
        p.push_back(64);
    }
    put(p, from.bytes());
    put(p, to.bytes());
    return p;
}

} // namespace

Packet tcp(const Ends& ends, const Segment& s) {
    Packet p = ip_header(ends, packet::proto::tcp, 20 + s.options.size() + s.payload);
    put16(p, ends.source_port);
    put16(p, ends.destination_port);
    put32(p, s.seq);
    put32(p, s.ack);
    p.push_back(static_cast<std::uint8_t>((20 + s.options.size()) / 4 << 4));
    p.push_back(s.flags);
    put16(p, s.window);
    put32(p, 0);
    put(p, s.options);
    p.resize(p.size() + s.payload, 'x');
    return p;
}

Packet udp(const Ends& ends, std::size_t payload) {
    Packet p = ip_header(ends, packet::proto::udp, 8 + payload);
    put16(p, ends.source_port);
    put16(p, ends.destination_port);
    put16(p, 8 + payload);
    put16(p, 0);
    p.resize(p.size() + payload, 'x');
    return p;
}

Packet icmp(const Ends& ends) {
    Packet p = ip_header(ends, packet::proto::icmp, 8);
    p.push_back(8);
    p.resize(p.size() + 7);
    return p;
}

Packet mss_option(std::uint16_t mss) {
    Packet p{2, 4};
    put16(p, mss);
    return p;
}

Packet syn_options(std::uint16_t mss, std::uint8_t scale) {
    Packet p = mss_option(mss);
    const Packet rest{1, 3, 3, scale};
    put(p, rest);
    return p;
}

} // namespace nfqws2::flow::test
