#include "packet_text.hpp"

#include "nfqws2/base/text.hpp"
#include "nfqws2/packet/checksum.hpp"
#include "nfqws2/packet/header_walk.hpp"

#include <optional>

namespace nfqws2::engine {

namespace {

std::string endpoint_text(const packet::Dissect& d, const IpAddress& address, std::uint16_t port) {
    const bool has_port = d.l4 == packet::L4::tcp || d.l4 == packet::L4::udp;
    if (!has_port) return address.text();
    const std::string suffix = ":" + std::to_string(port);
    return address.version == 6 ? "[" + address.text() + "]" + suffix : address.text() + suffix;
}

std::uint16_t port_or_zero(const packet::Dissect& d, bool source) {
    if (d.l4 != packet::L4::tcp && d.l4 != packet::L4::udp) return 0;
    return source ? d.source_port() : d.destination_port();
}

// Starts of the sequence numbers of the packet's sender and receiver, as far as they are known.
struct Origins {
    std::optional<std::uint32_t> seq, ack;
};
Origins origins(const packet::Dissect& d, const flow::Track* track) {
    if (track == nullptr || !track->is_tcp()) return {};
    const flow::Positions positions = track->positions();
    const auto is = [](const flow::Endpoint& e, const IpAddress& address, std::uint16_t port) {
        return e.port == port && e.address == address;
    };
    const flow::Endpoint client = track->client(), server = track->server();
    std::optional<std::uint32_t> client0, server0;
    if (positions.client.seq0_known) client0 = positions.client.seq0;
    if (positions.server.seq0_known) server0 = positions.server.seq0;
    if (is(client, d.source(), d.source_port()) &&
        is(server, d.destination(), d.destination_port()))
        return {client0, server0};
    if (is(server, d.source(), d.source_port()) &&
        is(client, d.destination(), d.destination_port()))
        return {server0, client0};
    return {};
}

// Relative numbers may be below zero: data that overlaps what went before.
std::string number_text(std::uint32_t value, const std::optional<std::uint32_t>& start) {
    return start ? std::to_string(static_cast<std::int32_t>(value - *start))
                 : std::to_string(value);
}

bool l4_checksum_is_bad(const packet::Dissect& d) {
    if (d.fragment || d.l4 == packet::L4::none) return false;
    const auto kind = d.l4 == packet::L4::tcp   ? packet::L4Checksum::tcp
                      : d.l4 == packet::L4::udp ? packet::L4Checksum::udp
                                                : packet::L4Checksum::icmp;
    const std::uint16_t found = load_be16(d.transport() + packet::checksum_offset(kind));
    const bool v4 = d.l3 == packet::L3::ipv4;
    if (kind == packet::L4Checksum::udp && found == 0 && v4) return false; // there is none
    const Bytes header = clipped(d.packet, d.l3_len, d.l4_len);
    return packet::l4_checksum(kind, d.packet, header, d.payload) != found;
}

bool ip_checksum_is_bad(const packet::Dissect& d) {
    if (d.l3 != packet::L3::ipv4) return false;
    const Bytes header = clipped(d.packet, 0, (d.ip()[0] & 0x0FU) * 4U);
    return packet::checksum_finish(packet::checksum_add(0, header)) != 0;
}

std::string transport_text(const packet::Dissect& d, const flow::Track* track) {
    switch (d.l4) {
    case packet::L4::tcp: {
        const Origins start = origins(d, track);
        const std::string flags = tcp_flags_text(d.tcp_flags());
        std::string text = flags.empty() ? "-" : flags;
        text += " seq=" + number_text(d.tcp_seq(), start.seq);
        if ((d.tcp_flags() & packet::tcp_flag::ack) != 0)
            text += " ack=" + number_text(d.tcp_ack(), start.ack);
        return text;
    }
    case packet::L4::udp:
        return "udp";
    case packet::L4::icmp:
        return nfqws2::format("icmp type=%u code=%u", d.icmp_type(), d.icmp_code());
    case packet::L4::none:
        break;
    }
    return "proto=" + std::to_string(d.l4proto);
}

constexpr std::uint8_t md5_signature = 19; // RFC 2385

const char* extension_name(std::uint8_t type) {
    switch (type) {
    case packet::proto::hopopts:
        return "hopopts";
    case packet::proto::routing:
        return "routing";
    case packet::proto::fragment:
        return "fragment";
    case packet::proto::ah:
        return "ah";
    case packet::proto::dstopts:
        return "dstopts";
    default:
        return "other";
    }
}

// Headers that few packets have: what makes a server or a box refuse one.
std::string rare_headers_text(const packet::Dissect& d) {
    std::string text;
    if (d.l3 == packet::L3::ipv6) {
        packet::ExtensionWalk walk(d.packet);
        for (packet::ExtensionHeader header; walk.next(header);)
            text += (text.empty() ? " ext=" : ",") + std::string(extension_name(header.type));
    }
    if (d.l4 != packet::L4::tcp) return text;
    packet::TcpOptionWalk walk(packet::tcp_options(d));
    for (packet::TcpOption option; walk.next(option);)
        if (option.kind == md5_signature) text += " md5";
    return text;
}

} // namespace

std::string source_text(const packet::Dissect& d) {
    return endpoint_text(d, d.source(), port_or_zero(d, true));
}

std::string destination_text(const packet::Dissect& d) {
    return endpoint_text(d, d.destination(), port_or_zero(d, false));
}

std::string tcp_flags_text(std::uint8_t flags) {
    static constexpr char letters[] = "FSRPAUEC";
    std::string text;
    for (unsigned i = 0; i < 8; i++)
        if ((flags >> i & 1) != 0) text += letters[i];
    return text;
}

std::string packet_text(Bytes packet, const flow::Track* track, bool as_sent) {
    packet::Dissect d = packet::dissect(packet);
    if (!d.is_ip()) d = packet::dissect(packet, packet::Completeness::partial);
    if (!d.is_ip()) return "not IP";
    std::string text = source_text(d) + ">" + destination_text(d) + " " + transport_text(d, track);
    text += nfqws2::format(" dlen=%zu ttl=%u", d.payload.size(), d.ttl());
    if (d.fragment) text += " frag=" + std::to_string(d.frag_off);
    text += rare_headers_text(d);
    if (!as_sent && ip_checksum_is_bad(d)) text += " bad-ip-checksum";
    if (l4_checksum_is_bad(d)) text += " bad-checksum";
    return text;
}

} // namespace nfqws2::engine
