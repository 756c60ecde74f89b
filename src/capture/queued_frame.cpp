#include "queued_frame.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>

namespace nfqws2::capture {
namespace {

// Numbers that older headers of the kernel do not know.
constexpr std::uint16_t layer2_vlan = 19, layer2_header = 20;
constexpr std::uint16_t vlan_protocol = 1, vlan_tag = 2;
constexpr std::size_t source_at = 6, type_at = 12, mac_size = 6;

Bytes payload_of(const nlattr* attribute) {
    return {static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute)),
            mnl_attr_get_payload_len(attribute)};
}

struct Wanted {
    std::uint16_t type;
    const nlattr* found = nullptr;
};

int take(const nlattr* attribute, void* data) {
    Wanted& wanted = *static_cast<Wanted*>(data);
    if (mnl_attr_get_type(attribute) != wanted.type) return MNL_CB_OK;
    wanted.found = attribute;
    return MNL_CB_STOP;
}

// At least `size` bytes of it; empty if it is not there.
Bytes attribute_of(const nlmsghdr* message, std::uint16_t type, std::size_t size) {
    Wanted wanted{type};
    mnl_attr_parse(message, sizeof(nfgenmsg), take, &wanted);
    const Bytes bytes = wanted.found != nullptr ? payload_of(wanted.found) : Bytes();
    return bytes.size() >= size ? bytes : Bytes();
}

Bytes in_nest(const nlattr* nest, std::uint16_t type, std::size_t size) {
    Wanted wanted{type};
    mnl_attr_parse_nested(nest, take, &wanted);
    const Bytes bytes = wanted.found != nullptr ? payload_of(wanted.found) : Bytes();
    return bytes.size() >= size ? bytes.first(size) : Bytes();
}

} // namespace

LinkLayers queued_link(const nlmsghdr* message) {
    LinkLayers link;
    const Bytes header = attribute_of(message, layer2_header, LinkHeader::size);
    if (header.empty() || header.size() + 4 > LinkLayers::most) return link;
    Wanted nest{layer2_vlan};
    mnl_attr_parse(message, sizeof(nfgenmsg), take, &nest);
    Bytes protocol, tag;
    if (nest.found != nullptr) {
        protocol = in_nest(nest.found, vlan_protocol, 2);
        tag = in_nest(nest.found, vlan_tag, 2);
    }
    link.add(header.first(type_at));
    if (!protocol.empty() && !tag.empty()) {
        link.add(protocol);
        link.add(tag);
    }
    link.add(header.subspan(type_at));
    return link;
}

LinkHeader queued_header(const nlmsghdr* message, const LinkLayers& link, Bytes own) {
    LinkHeader header;
    if (link.size != 0) { // without the tag, so that the type is that of the packet
        const Bytes bytes = attribute_of(message, layer2_header, LinkHeader::size);
        header.known = true;
        std::copy_n(bytes.begin(), LinkHeader::size, header.bytes.begin());
        return header;
    }
    nfqnl_msg_packet_hw hardware;
    const Bytes source = attribute_of(message, NFQA_HWADDR, sizeof(hardware));
    if (source.empty()) return header;
    std::memcpy(&hardware, source.data(), sizeof(hardware));
    if (ntohs(hardware.hw_addrlen) != mac_size) return header;
    header.known = true;
    std::copy_n(own.begin(), std::min(own.size(), mac_size), header.bytes.begin());
    std::copy_n(hardware.hw_addr, mac_size, header.bytes.begin() + source_at);
    nfqnl_msg_packet_hdr packet;
    const Bytes of_packet = attribute_of(message, NFQA_PACKET_HDR, sizeof(packet));
    if (of_packet.empty()) return header;
    std::memcpy(&packet, of_packet.data(), sizeof(packet));
    std::memcpy(header.bytes.data() + type_at, &packet.hw_protocol, sizeof(packet.hw_protocol));
    return header;
}

} // namespace nfqws2::capture
