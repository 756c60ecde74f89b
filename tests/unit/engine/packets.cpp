#include "packets.hpp"

#include "nfqws2/packet/checksum.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace nfqws2::engine::test {

namespace {

Random& test_random() {
    static const std::unique_ptr<Random> random = make_seeded_random(1);
    return *random;
}

packet::Blueprint addressed(const Peer& from, const Peer& to, std::uint8_t protocol,
                            std::uint8_t ttl) {
    const auto source = IpAddress::parse(from.address), target = IpAddress::parse(to.address);
    if (!source || !target) std::abort();
    packet::Blueprint plan;
    if (source->version == 4) {
        plan.l3 = packet::L3::ipv4;
        plan.ip.ttl = ttl;
        plan.ip.protocol = protocol;
        plan.ip.off = 0x4000;
        std::copy_n(source->raw.begin(), 4, plan.ip.source.begin());
        std::copy_n(target->raw.begin(), 4, plan.ip.destination.begin());
    } else {
        plan.l3 = packet::L3::ipv6;
        plan.ip6.flow = 0x60012345;
        plan.ip6.hop_limit = ttl;
        plan.ip6.source = source->raw;
        plan.ip6.destination = target->raw;
    }
    plan.raw_protocol = protocol;
    return plan;
}

Buffer build(const packet::Blueprint& plan) {
    Buffer out(65536);
    const packet::Reconstructed built = packet::reconstruct(plan, {}, test_random(), out);
    if (!built.ok()) std::abort();
    out.resize(built.size);
    return out;
}

} // namespace

Buffer tcp(const Peer& from, const Peer& to, const Tcp& fields, Bytes payload) {
    packet::Blueprint plan = addressed(from, to, packet::proto::tcp, fields.ttl);
    plan.l4 = packet::L4::tcp;
    plan.tcp.source_port = from.port;
    plan.tcp.destination_port = to.port;
    plan.tcp.seq = fields.seq;
    plan.tcp.ack = fields.ack;
    plan.tcp.flags = fields.flags;
    plan.tcp.window = fields.window;
    std::array<std::uint8_t, 2> mss{};
    store_be16(mss.data(), fields.mss);
    const std::array<std::uint8_t, 1> scale{static_cast<std::uint8_t>(fields.scale)};
    std::vector<packet::TcpOptionField> list;
    if (fields.mss != 0) list.push_back({2, mss});
    if (fields.scale >= 0) list.push_back({3, scale});
    plan.tcp.options = list;
    plan.payload = payload;
    return build(plan);
}

Buffer udp(const Peer& from, const Peer& to, Bytes payload, std::uint8_t ttl) {
    packet::Blueprint plan = addressed(from, to, packet::proto::udp, ttl);
    plan.l4 = packet::L4::udp;
    plan.udp.source_port = from.port;
    plan.udp.destination_port = to.port;
    plan.payload = payload;
    return build(plan);
}

Buffer icmp(const Peer& from, const Peer& to, std::uint8_t type, std::uint8_t code, Bytes payload,
            std::uint32_t data) {
    const bool v6 = IpAddress::parse(from.address)->version == 6;
    packet::Blueprint plan =
        addressed(from, to, v6 ? packet::proto::icmpv6 : packet::proto::icmp, 64);
    plan.l4 = packet::L4::icmp;
    plan.icmp.type = type;
    plan.icmp.code = code;
    plan.icmp.data = data;
    plan.payload = payload;
    return build(plan);
}

Buffer raw_ip(const Peer& from, const Peer& to, std::uint8_t protocol, Bytes payload) {
    packet::Blueprint plan = addressed(from, to, protocol, 64);
    plan.payload = payload;
    return build(plan);
}

Buffer first_fragment(Bytes whole, std::size_t payload_size) {
    Buffer part = copy_of(whole.first(20 + payload_size));
    store_be16(&part[2], static_cast<std::uint16_t>(part.size()));
    store_be16(&part[6], 0x2000); // more fragments
    packet::fix_ipv4_checksum(MutBytes(part).first(20));
    return part;
}

Buffer TcpFlow::syn() const {
    return tcp(client_, server_,
               {client_isn, 0, packet::tcp_flag::syn, client_window, 1460, 7, 64});
}

Buffer TcpFlow::syn_ack() const {
    return tcp(server_, client_,
               {server_isn, client_isn + 1, packet::tcp_flag::syn | packet::tcp_flag::ack,
                server_window, 1400, 8, server_ttl});
}

Buffer TcpFlow::from_client(Bytes payload, std::uint32_t offset, std::uint8_t flags) const {
    if (payload.empty()) flags &= static_cast<std::uint8_t>(~packet::tcp_flag::psh);
    return tcp(client_, server_, {client_isn + 1 + offset, server_isn + 1, flags, 502, 0, -1, 64},
               payload);
}

Buffer TcpFlow::from_server(Bytes payload, std::uint32_t offset, std::uint8_t flags) const {
    if (payload.empty()) flags &= static_cast<std::uint8_t>(~packet::tcp_flag::psh);
    return tcp(server_, client_,
               {server_isn + 1 + offset, client_isn + 1, flags, server_window, 0, -1, server_ttl},
               payload);
}

} // namespace nfqws2::engine::test
