// What one packet does to a flow (docs/contracts/flows.md#counters-and-positions). Pure functions
// over the record; the table decides about creation and reset.
#pragma once

#include "nfqws2/flow/track_data.hpp"
#include "nfqws2/packet/dissect.hpp"

#include <cstdint>

namespace nfqws2::flow::detail {

enum class Handshake : std::uint8_t { none, syn, syn_ack };

// By flags alone: SYN (+ACK) without FIN, RST, PSH, URG.
Handshake handshake_of(std::uint8_t tcp_flags);

// The packet opens a new connection over the tuple of an older one.
bool starts_over(const TrackData& track, const packet::Dissect& d);

// Any packet, or several with so much payload together; `from_server` is the flow's direction.
void count_packets(TrackData& track, std::uint32_t packets, std::size_t payload_size,
                   bool from_server);
// Part of a TCP payload.
struct Part {
    std::uint32_t offset, size;
};
// TCP only, after count_packets.
void follow_tcp(TrackData& track, const packet::Dissect& d, Part part, bool from_server);

// What its sender will have counted behind so many pieces of a TCP packet, which carry so many
// bytes together; `last` is the last of them.
struct Packets {
    std::uint32_t number, bytes;
    Part last;
};
SideData foresee(SideData sender, const packet::Dissect& d, Packets packets);

} // namespace nfqws2::flow::detail
