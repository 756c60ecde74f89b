#include "packets.hpp"

#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/packet/checksum.hpp"
#include "nfqws2/packet/dissect.hpp"

#include <algorithm>

namespace nfqws2::rules::test_packets {
namespace {

void put16(Packet& out, unsigned value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}

void put32(Packet& out, std::uint32_t value) {
    put16(out, value >> 16);
    put16(out, value & 0xFFFF);
}

void append(Packet& out, const Packet& more) {
    out.insert(out.end(), more.begin(), more.end());
}

Packet gre(std::uint16_t type, const Packet& inner) {
    Packet out;
    put16(out, 0);
    put16(out, type);
    append(out, inner);
    return out;
}

Packet esp(std::uint32_t spi) {
    Packet out;
    put32(out, spi);
    put32(out, 1);
    out.resize(out.size() + 24, 0x5A);
    return out;
}

const Packet syn_options = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
const Packet data_options = {1, 1, 8, 10, 0, 0, 0, 2, 0, 0, 0, 1};

} // namespace

Packet ipv4(const Ip4& header, std::uint8_t protocol, const Packet& payload) {
    Packet out{0x45, 0};
    put16(out, static_cast<unsigned>(20 + payload.size()));
    put16(out, 0x1234);
    put16(out, header.fragment);
    out.push_back(header.ttl);
    out.push_back(protocol);
    put16(out, 0);
    for (const std::string& text : {header.source, header.destination}) {
        const IpAddress value = *IpAddress::parse(text);
        out.insert(out.end(), value.raw.begin(), value.raw.begin() + 4);
    }
    append(out, payload);
    fix_checksums(out);
    return out;
}

Packet ipv6(const std::string& source, const std::string& destination, std::uint8_t next,
            const Packet& payload) {
    Packet out{0x60, 0, 0, 0};
    put16(out, static_cast<unsigned>(payload.size()));
    out.push_back(next);
    out.push_back(64);
    for (const std::string& text : {source, destination}) {
        const IpAddress value = *IpAddress::parse(text);
        out.insert(out.end(), value.raw.begin(), value.raw.end());
    }
    append(out, payload);
    fix_checksums(out);
    return out;
}

Packet udp(std::uint16_t source, std::uint16_t destination, std::string_view payload) {
    Packet out;
    put16(out, source);
    put16(out, destination);
    put16(out, static_cast<unsigned>(8 + payload.size()));
    put16(out, 0);
    append(out, {payload.begin(), payload.end()});
    return out;
}

Packet tcp(std::uint16_t source, std::uint16_t destination, std::uint8_t flags,
           const Packet& options, std::string_view payload) {
    Packet out;
    put16(out, source);
    put16(out, destination);
    put32(out, 1000);
    put32(out, (flags & 0x10) != 0 ? 2000 : 0);
    out.push_back(static_cast<std::uint8_t>((20 + options.size()) / 4 << 4));
    out.push_back(flags);
    put16(out, 64240);
    put32(out, 0);
    append(out, options);
    append(out, {payload.begin(), payload.end()});
    return out;
}

Packet icmp(std::uint8_t type, std::uint8_t code) {
    Packet out{type, code, 0, 0, 0, 0, 0, 0};
    append(out, {'p', 'i', 'n', 'g'});
    return out;
}

namespace {

// Where the checksum of the transport is, and what it should be.
struct Expected {
    std::size_t at = 0; // 0: none
    std::uint16_t value = 0;
};

Expected transport_checksum(const Packet& packet) {
    const packet::Dissect d = packet::dissect(packet);
    packet::L4Checksum kind = packet::L4Checksum::tcp;
    if (d.l4 == packet::L4::udp)
        kind = packet::L4Checksum::udp;
    else if (d.l4 == packet::L4::icmp)
        kind = packet::L4Checksum::icmp;
    else if (d.l4 != packet::L4::tcp)
        return {};
    const Bytes header = d.packet.subspan(d.l3_len, d.l4_len);
    return {d.l3_len + packet::checksum_offset(kind),
            packet::l4_checksum(kind, d.packet.first(d.l3_len), header, d.payload)};
}

} // namespace

void fix_checksums(Packet& packet) {
    const Expected expected = transport_checksum(packet);
    if (expected.at != 0) store_be16(&packet[expected.at], expected.value);
    if (packet[0] >> 4 == 4) packet::fix_ipv4_checksum(MutBytes(packet).first(20));
}

bool checksums_right(const Packet& packet) {
    Packet copy = packet;
    const Expected expected = transport_checksum(packet);
    const bool none = expected.at != 0 && load_be16(&packet[expected.at]) == 0;
    fix_checksums(copy);
    if (none) store_be16(&copy[expected.at], 0);
    return copy == packet;
}

Packet U() {
    return ipv4({}, 17, udp(4000, 53, "hello"));
}
Packet S() {
    return ipv4({}, 6, tcp(40000, 443, 0x02, syn_options, ""));
}
Packet D() {
    return ipv4({}, 6, tcp(40000, 443, 0x18, data_options, "GET / HTTP/1.1\r\n\r\n"));
}
Packet V6() {
    return ipv6("2001:db8::1", "2001:db8:1::10", 17, udp(4000, 53, "hello"));
}
Packet G() {
    return ipv4({}, 47, gre(0x0800, ipv4({"172.16.0.1", "172.16.0.2"}, 17, udp(1, 2, "hello"))));
}
Packet P() {
    return ipv4({}, 4, ipv4({"172.16.0.1", "172.16.0.2"}, 6, tcp(1, 2, 0x10, {}, "")));
}
Packet E() {
    return ipv4({}, 50, esp(4096));
}
Packet A() {
    Packet header{6, 4, 0, 0};
    put32(header, 4097);
    put32(header, 1);
    header.resize(24, 0x11);
    append(header, tcp(40000, 443, 0x10, {}, ""));
    return ipv4({}, 51, header);
}
Packet GE() {
    return ipv4({}, 47, gre(0x0800, ipv4({"172.16.0.1", "172.16.0.2"}, 50, esp(8192))));
}
Packet F0() {
    Packet payload = udp(4000, 53, std::string(1472, 'x'));
    return ipv4({"10.0.0.1", "192.0.2.10", 64, 0x2000}, 17, payload);
}
Packet F1() {
    return ipv4({"10.0.0.1", "192.0.2.10", 64, 0x2000 | 1480 / 8}, 17, Packet(1480, 'x'));
}
Packet F2() {
    return ipv4({"10.0.0.1", "192.0.2.10", 64, 2960 / 8}, 17, Packet(100, 'x'));
}
Packet C() {
    Packet header;
    put16(header, 5000);
    put16(header, 6000);
    put32(header, 1);
    put32(header, 0);
    header.resize(28);
    return ipv4({}, 132, header);
}
Packet I() {
    return ipv4({}, 1, icmp(8, 0));
}
Packet J() {
    return ipv4({}, 1, icmp(3, 3));
}
Packet N() {
    return ipv6("2001:db8::1", "2001:db8:1::10", 58, icmp(135, 0));
}

} // namespace nfqws2::rules::test_packets
