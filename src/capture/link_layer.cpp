#include "nfqws2/capture/link_layer.hpp"

#include <algorithm>

namespace nfqws2::capture {

namespace {

constexpr std::uint16_t type_ipv4 = 0x0800, type_ipv6 = 0x86DD, type_mpls = 0x8847;

bool is_vlan_tag(std::uint16_t ethertype) {
    return ethertype == 0x8100 || ethertype == 0x88A8 || ethertype == 0x9100;
}

bool has_version(Bytes packet, unsigned version) {
    return !packet.empty() && packet[0] >> 4 == version;
}

// Length by the IP header, or the data's size if the header does not tell.
std::size_t ip_length(Bytes packet) {
    std::size_t length = 0;
    if (has_version(packet, 4) && packet.size() >= 20) {
        length = load_be16(packet.data() + 2);
        if (length < (packet[0] & 15U) * 4U || length < 20) length = 0;
    } else if (has_version(packet, 6) && packet.size() >= 40) {
        length = load_be16(packet.data() + 4);
        if (length != 0) length += 40;
        // Zero may mean a jumbogram, but also a bare header; only the latter has no next header.
        else if (packet[6] == 59)
            length = 40;
    }
    return length == 0 ? packet.size() : length;
}

Bytes without_padding(Bytes packet) {
    return clipped(packet, 0, ip_length(packet));
}

// RFC 2516: the header of a session, and the protocol number of PPP.
bool step_over_pppoe(std::uint16_t& ethertype, Bytes& rest) {
    constexpr std::size_t size = 8;
    if (ethertype != 0x8864) return true;
    if (rest.size() < size) return false;
    switch (load_be16(rest.data() + 6)) {
    case 0x0021:
        ethertype = type_ipv4;
        break;
    case 0x0057:
        ethertype = type_ipv6;
        break;
    case 0x0281:
        ethertype = type_mpls;
        break;
    default:
        return false;
    }
    rest = rest.subspan(size);
    return true;
}

// RFC 3032: labels up to the one that says it is the last. What follows tells itself what it is.
bool step_over_labels(std::uint16_t& ethertype, Bytes& rest) {
    constexpr std::size_t size = 4, most = 16;
    if (ethertype != type_mpls && ethertype != type_mpls + 1) return true;
    bool last = false;
    for (std::size_t labels = 0; !last; labels++) {
        if (rest.size() < size || labels == most) return false;
        last = (rest[2] & 1U) != 0;
        rest = rest.subspan(size);
    }
    ethertype = has_version(rest, 6) ? type_ipv6 : type_ipv4;
    return true;
}

// `rest` starts behind the type field: up to two VLAN tags, PPPoE and MPLS labels may follow.
Bytes by_ethertype(std::uint16_t ethertype, Bytes rest) {
    for (int tags = 0; tags < 2 && is_vlan_tag(ethertype); tags++) {
        if (rest.size() < 4) return {};
        ethertype = load_be16(rest.data() + 2);
        rest = rest.subspan(4);
    }
    if (!step_over_pppoe(ethertype, rest) || !step_over_labels(ethertype, rest)) return {};
    const bool ip = (ethertype == type_ipv4 && has_version(rest, 4)) ||
                    (ethertype == type_ipv6 && has_version(rest, 6));
    return ip ? without_padding(rest) : Bytes{};
}

// The address family is in the byte order of whoever captured, and differs between systems.
Bytes by_family(Bytes frame) {
    if (frame.size() < 4) return {};
    std::uint32_t family = load_be32(frame.data());
    if (family > 0xFFFF)
        family = static_cast<std::uint32_t>(frame[3]) << 24 |
                 static_cast<std::uint32_t>(frame[2]) << 16 |
                 static_cast<std::uint32_t>(frame[1]) << 8 | frame[0];
    const Bytes packet = frame.subspan(4);
    const bool inet6 = family == 10 || family == 24 || family == 28 || family == 30;
    const bool ip = (family == 2 && has_version(packet, 4)) || (inet6 && has_version(packet, 6));
    return ip ? without_padding(packet) : Bytes{};
}

} // namespace

std::optional<LinkType> link_type_from_dlt(int dlt) {
    switch (dlt) {
    case 12:
    case 14:
    case 101:
        return LinkType::raw;
    case 228:
        return LinkType::raw_ipv4;
    case 229:
        return LinkType::raw_ipv6;
    case 1:
        return LinkType::ethernet;
    case 113:
        return LinkType::cooked;
    case 276:
        return LinkType::cooked2;
    case 0:
    case 108:
        return LinkType::null_loop;
    default:
        return std::nullopt;
    }
}

Bytes ip_packet_in_frame(LinkType type, Bytes frame) {
    switch (type) {
    case LinkType::raw:
        return has_version(frame, 4) || has_version(frame, 6) ? frame : Bytes{};
    case LinkType::raw_ipv4:
        return has_version(frame, 4) ? frame : Bytes{};
    case LinkType::raw_ipv6:
        return has_version(frame, 6) ? frame : Bytes{};
    case LinkType::ethernet:
        return frame.size() < 14 ? Bytes{}
                                 : by_ethertype(load_be16(frame.data() + 12), frame.subspan(14));
    case LinkType::cooked:
        return frame.size() < 16 ? Bytes{}
                                 : by_ethertype(load_be16(frame.data() + 14), frame.subspan(16));
    case LinkType::cooked2:
        return frame.size() < 20 ? Bytes{}
                                 : by_ethertype(load_be16(frame.data()), frame.subspan(20));
    case LinkType::null_loop:
        return by_family(frame);
    }
    return {};
}

namespace {

constexpr std::size_t cooked_size = 16, cooked2_size = 20;

// Source address and type of a cooked frame: where they are, and how long the address is.
LinkHeader cooked_header(Bytes frame, std::size_t type_at, std::size_t length_at,
                         std::size_t address_at) {
    constexpr std::size_t source_at = 6, type_place = 12, address_size = 6;
    LinkHeader header;
    header.known = true;
    if (frame[length_at] == address_size)
        std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(address_at), address_size,
                    header.bytes.begin() + source_at);
    std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(type_at), 2,
                header.bytes.begin() + type_place);
    return header;
}

} // namespace

LinkHeader header_of_frame(LinkType type, Bytes frame) {
    if (type == LinkType::ethernet && frame.size() >= LinkHeader::size) {
        LinkHeader header;
        header.known = true;
        std::copy_n(frame.begin(), LinkHeader::size, header.bytes.begin());
        return header;
    }
    if (type == LinkType::cooked && frame.size() >= cooked_size)
        return cooked_header(frame, 14, 5, 6);
    if (type == LinkType::cooked2 && frame.size() >= cooked2_size)
        return cooked_header(frame, 0, 11, 12);
    return {};
}

LinkLayers layers_of_frame(LinkType type, Bytes frame, Bytes packet) {
    LinkLayers layers;
    const LinkHeader header = header_of_frame(type, frame);
    if (!header.known || packet.empty()) return layers;
    const std::size_t begin = type == LinkType::ethernet ? LinkHeader::size
                              : type == LinkType::cooked ? cooked_size
                                                         : cooked2_size;
    const auto end = static_cast<std::size_t>(packet.data() - frame.data());
    if (LinkHeader::size + end - begin > LinkLayers::most) return layers;
    layers.add(header.view());
    layers.add(frame.subspan(begin, end - begin));
    return layers;
}

} // namespace nfqws2::capture
