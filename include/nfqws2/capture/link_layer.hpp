// Finds the IP packet inside a captured frame.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/capture/packet_io.hpp"

#include <optional>

namespace nfqws2::capture {

enum class LinkType : std::uint8_t {
    raw,
    raw_ipv4,
    raw_ipv6,
    ethernet,
    cooked,
    cooked2,
    null_loop
};

// From libpcap's DLT_* number; nullopt if not supported.
std::optional<LinkType> link_type_from_dlt(int dlt);

// The IP packet, maybe cut short by the capture; empty if the frame holds none. Padding that a link
// layer put behind the packet is not part of it.
Bytes ip_packet_in_frame(LinkType type, Bytes frame);

// The header of a frame that holds a packet, as Ethernet has it; what is not known of it is zero.
LinkHeader header_of_frame(LinkType type, Bytes frame);

// All of it, where `packet` is what ip_packet_in_frame() has found. Nothing where the link has no
// addresses.
LinkLayers layers_of_frame(LinkType type, Bytes frame, Bytes packet);

} // namespace nfqws2::capture
