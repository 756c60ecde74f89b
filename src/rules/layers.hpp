// The layers of a packet, as rules name them: where each begins and ends. One tunnel is looked
// into; what is inside of a second one is payload. A broken header ends the walk: what would be
// above it does not exist.
#pragma once

#include "program.hpp"

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/packet/dissect.hpp"

#include <array>
#include <cstdint>

namespace nfqws2::rules {

// An IP header and where it leads.
struct IpLayer {
    packet::L3 version = packet::L3::none;
    IpAddress source, destination;
    std::uint8_t protocol = 0; // above the extension headers
    std::uint8_t ttl = 0;
    bool df = false, more = false; // fragment flags
    std::uint32_t offset = 0;      // of a fragment, bytes
    bool later_fragment() const { return offset != 0; }
    bool fragment() const { return more || offset != 0; }
};

struct Layers {
    // Offsets in the packet; `begin` == none: not there.
    struct Part {
        static constexpr std::uint32_t none = 0xFFFFFFFF;
        std::uint32_t begin = none, payload = 0, end = 0;
        bool there() const { return begin != none; }
    };

    Bytes packet; // all offsets are in it, but of link layers
    Bytes frame;  // that holds it, with all in front of it; their offsets are in this. Often empty
    std::array<Part, layers> parts;
    IpLayer net, inner;
    std::uint32_t protocols = 0;          // layer_bit
    std::uint32_t spi = 0, inner_spi = 0; // where `sec` (`tun_sec`) is there
    std::uint32_t tunnel_key = 0;         // of GRE, else 0
    std::uint8_t sec_protocol = 0, inner_sec_protocol = 0, tunnel_protocol = 0; // 0: none
    std::uint8_t transport_protocol = 0; // 0: no transport header

    const Part& part(Layer layer) const { return parts[static_cast<std::size_t>(layer)]; }
    bool has(Layer layer) const { return part(layer).there(); }
    // Empty if the layer is not there; ask has() first where that makes a difference.
    Bytes bytes(Layer layer, Element element) const;
    Bytes transport() const { return bytes(Layer::transport, Element::packet); }
    bool is_tcp() const { return transport_protocol == packet::proto::tcp; }
    bool has_ports() const;
    bool has_tag(std::uint16_t vlan) const;
    bool goes_to(const std::array<std::uint8_t, 6>& hardware_address) const;
};

// `packet` begins with the IP header. Nothing but `packet` is set if that is none.
Layers walk_layers(Bytes packet);
// Finds the link layers in the first `size` bytes of a frame, which ends with the packet.
void walk_link(Layers& layers, Bytes frame, std::size_t size);

} // namespace nfqws2::rules
