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

// By their sender: any packet, or several with so much payload together.
void count_packets(SideData& sender, std::uint32_t packets, std::size_t payload_size);
// Part of a TCP payload.
struct Part {
    std::uint32_t offset, size;
};
// To where it stands, by its sender. TCP only, after count_packets.
void move_to(SideData& sender, const packet::Dissect& d, Part part);
// The same, and all else that the packet tells; `from_server` is the flow's direction.
void follow_tcp(TrackData& track, const packet::Dissect& d, Part part, bool from_server);

} // namespace nfqws2::flow::detail
