#include "nfqws2/protocol/detect.hpp"

#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/protocol/table.hpp"

#include <array>
#include <span>

namespace nfqws2::protocol {

namespace {

// What is asked of each packet of a carrier, in order.
struct Probe {
    ByteRange first;
    Payload payload;
    L7 l7;
    Only only;
    bool (*matches)(Bytes);
};

consteval bool is_carried(const PayloadRow& r, std::uint8_t by) {
    return (r.carriers & by & carrier::detected) != 0;
}

consteval std::size_t count_carried(std::uint8_t by) {
    std::size_t count = 0;
    for (const PayloadRow& r : payload_rows)
        count += is_carried(r, by) ? 1 : 0;
    return count;
}

template <std::uint8_t by> consteval auto probes() {
    std::array<Probe, count_carried(by)> list{};
    std::size_t size = 0;
    for (unsigned turn = 0; turn <= UINT8_MAX; ++turn)
        for (const PayloadRow& r : payload_rows)
            if (is_carried(r, by) && r.turn == turn)
                list[size++] = {r.first, r.payload, r.l7, r.only, r.matches};
    return list;
}

constexpr auto tcp_initiator = probes<carrier::tcp_initiator>();
constexpr auto tcp_responder = probes<carrier::tcp_responder>();
constexpr auto udp = probes<carrier::udp>();

bool is_place_for(const Probe& p, L7 flow, bool at_start) {
    return p.only == Only::anywhere || (p.only == Only::own_flow ? flow == p.l7 : at_start);
}

Detection probe(std::span<const Probe> list, Bytes data, L7 flow, bool at_start,
                const DisableSet& disabled) {
    const std::uint8_t first = data[0];
    for (const Probe& p : list) {
        if (first < p.first.low || first > p.first.high) continue;
        if (!is_place_for(p, flow, at_start)) continue;
        // The signature before the set: few match, so few need the second question.
        if (p.matches(data) && !disabled.contains(p.payload)) return {p.payload, p.l7};
    }
    return {};
}

} // namespace

Detection detect_tcp_initiator(Bytes data, bool at_start, const DisableSet& disabled) {
    return probe(tcp_initiator, data, L7::unknown, at_start, disabled);
}

Detection detect_tcp_responder(Bytes data, const DisableSet& disabled) {
    return probe(tcp_responder, data, L7::unknown, false, disabled);
}

Detection detect_udp(Bytes data, L7 flow, const DisableSet& disabled) {
    return probe(udp, data, flow, false, disabled);
}

L7Set protocols_over(std::uint8_t carriers) {
    L7Set set;
    for (const PayloadRow& r : payload_rows)
        if ((r.carriers & carriers & carrier::detected) != 0) set.add(r.l7);
    return set;
}

bool icmp_type_quotes_packet(std::uint8_t type) {
    switch (type) {
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 11:
    case 12:
        return true;
    default:
        return false;
    }
}

Payload classify_icmp(Bytes message) {
    constexpr std::size_t header = 8;
    if (message.empty() || !icmp_type_quotes_packet(message[0])) return Payload::icmp;
    const Bytes quoted = clipped(message, header);
    if (packet::looks_like_ipv4(quoted)) return Payload::ipv4;
    if (packet::looks_like_ipv6(quoted)) return Payload::ipv6;
    return Payload::icmp;
}

} // namespace nfqws2::protocol
