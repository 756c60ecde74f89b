#include "layers.hpp"

#include "ip_protocols.hpp"

#include <algorithm>

namespace nfqws2::rules {
namespace {

namespace proto = packet::proto;
constexpr unsigned most_extensions = 16;

// Walks upwards through one packet; each step fails where a header is broken or none follows.
class Walk {
  public:
    explicit Walk(Layers& out) : out_(out) {}
    void run();

  private:
    bool ip(Layer layer, IpLayer& ip, std::uint32_t bit4, std::uint32_t bit6);
    bool ipv4(IpLayer& ip);
    bool ipv6(IpLayer& ip);
    bool extensions(std::uint8_t& type, IpLayer* ip);
    bool security(Layer layer, std::uint8_t& protocol, std::uint32_t& spi, std::uint8_t& kind,
                  std::uint32_t bit_ah, std::uint32_t bit_esp);
    bool tunnel(std::uint8_t protocol);
    bool gre_header();
    void transport(std::uint8_t protocol);

    std::uint32_t left() const { return end_ - at_; }
    const std::uint8_t* here() const { return out_.packet.data() + at_; }
    Layers::Part& part(Layer layer) { return out_.parts[static_cast<std::size_t>(layer)]; }
    // The layer is there, and its header that long; the walk stands behind it.
    void found(Layer layer, std::uint32_t header) {
        part(layer) = {at_, at_ + header, end_};
        at_ += header;
    }

    Layers& out_;
    std::uint32_t at_ = 0, end_ = 0;
};

bool Walk::ipv4(IpLayer& ip) {
    const Bytes rest = out_.packet.subspan(at_, left());
    if (!packet::looks_like_ipv4(rest)) return false;
    const std::uint32_t header = (rest[0] & 0x0FU) * 4U;
    const std::uint32_t total = load_be16(rest.data() + 2);
    if (total < header || total > rest.size()) return false;
    const std::uint16_t field = load_be16(rest.data() + 6);
    ip.version = packet::L3::ipv4;
    ip.source = IpAddress::v4(rest.data() + 12);
    ip.destination = IpAddress::v4(rest.data() + 16);
    ip.protocol = rest[9];
    ip.ttl = rest[8];
    ip.df = (field & 0x4000) != 0;
    ip.more = (field & 0x2000) != 0;
    ip.offset = (field & 0x1FFFU) * 8;
    end_ = at_ + total;
    at_ += header;
    return true;
}

// Steps over extension headers, from the one `type` names; AH is a layer of its own. `ip`: gets
// what a fragment header says.
bool Walk::extensions(std::uint8_t& type, IpLayer* ip) {
    for (unsigned count = 0;; count++) {
        const bool known = type == proto::hopopts || type == proto::routing ||
                           type == proto::fragment || type == proto::dstopts ||
                           type == proto::mobility || type == proto::hip || type == proto::shim6;
        if (!known) return true;
        if (count == most_extensions || left() < 8) return false;
        const std::uint32_t size = type == proto::fragment ? 8 : 8U + 8U * here()[1];
        if (size > left()) return false;
        const bool is_fragment = type == proto::fragment;
        if (is_fragment && ip != nullptr) {
            const std::uint16_t field = load_be16(here() + 2);
            ip->offset = field & 0xFFF8U;
            ip->more = (field & 1) != 0;
        }
        type = here()[0];
        at_ += size;
        if (is_fragment && ip != nullptr && ip->later_fragment()) return true;
    }
}

bool Walk::ipv6(IpLayer& ip) {
    const Bytes rest = out_.packet.subspan(at_, left());
    if (!packet::looks_like_ipv6(rest)) return false;
    const std::uint32_t total = 40U + load_be16(rest.data() + 4);
    if (total > rest.size()) return false;
    ip.version = packet::L3::ipv6;
    ip.source = IpAddress::v6(rest.data() + 8);
    ip.destination = IpAddress::v6(rest.data() + 24);
    ip.ttl = rest[7];
    ip.protocol = rest[6];
    end_ = at_ + total;
    at_ += 40;
    return extensions(ip.protocol, &ip);
}

bool Walk::ip(Layer layer, IpLayer& ip, std::uint32_t bit4, std::uint32_t bit6) {
    const std::uint32_t begin = at_;
    if (left() == 0) return false;
    const bool whole = here()[0] >> 4 == 4 ? ipv4(ip) : ipv6(ip);
    if (ip.version == packet::L3::none) return false;
    part(layer) = {begin, at_, end_};
    out_.protocols |= ip.version == packet::L3::ipv4 ? bit4 : bit6;
    return whole;
}

// AH and ESP. False: nothing can be seen behind it.
bool Walk::security(Layer layer, std::uint8_t& protocol, std::uint32_t& spi, std::uint8_t& kind,
                    std::uint32_t bit_ah, std::uint32_t bit_esp) {
    if (protocol == esp) {
        if (left() < 8) return false;
        kind = esp;
        spi = load_be32(here());
        out_.protocols |= bit_esp;
        found(layer, 8);
        return false;
    }
    if (protocol != proto::ah) return true;
    if (left() < 12) return false;
    const std::uint32_t size = (here()[1] + 2U) * 4U;
    if (size < 12 || size > left()) return false;
    kind = proto::ah;
    spi = load_be32(here() + 4);
    out_.protocols |= bit_ah;
    protocol = here()[0];
    found(layer, size);
    return extensions(protocol, nullptr);
}

// RFC 2784, 2890: version 0, checksum, key and sequence number.
bool Walk::gre_header() {
    constexpr std::uint16_t with_checksum = 0x8000, with_key = 0x2000, with_sequence = 0x1000;
    if (left() < 4) return false;
    const std::uint16_t flags = load_be16(here());
    const std::uint16_t type = load_be16(here() + 2);
    out_.tunnel_protocol = gre;
    out_.protocols |= layer_bit::gre;
    if ((flags & ~(with_checksum | with_key | with_sequence)) != 0) { // another version, routing
        found(Layer::tun, 4);
        return false;
    }
    std::uint32_t size = 4;
    if ((flags & with_checksum) != 0) size += 4;
    const std::uint32_t key_at = size;
    if ((flags & with_key) != 0) size += 4;
    if ((flags & with_sequence) != 0) size += 4;
    if (size > left()) {
        found(Layer::tun, 4);
        return false;
    }
    if ((flags & with_key) != 0) out_.tunnel_key = load_be32(here() + key_at);
    found(Layer::tun, size);
    return type == 0x0800 || type == 0x86DD;
}

// True: inside is an IP packet.
bool Walk::tunnel(std::uint8_t protocol) {
    if (protocol == gre) return gre_header();
    out_.tunnel_protocol = protocol;
    out_.protocols |= layer_bit::ipip;
    found(Layer::tun, 0);
    return true;
}

void Walk::transport(std::uint8_t protocol) {
    std::uint32_t size = 0, bit = 0;
    switch (protocol) {
    case proto::tcp:
        if (!packet::looks_like_tcp(out_.packet.subspan(at_, left()))) return;
        size = (here()[12] >> 4) * 4U;
        bit = layer_bit::tcp;
        break;
    case proto::udp:
        size = 8;
        bit = layer_bit::udp;
        break;
    case sctp:
        size = 12;
        bit = layer_bit::sctp;
        break;
    case proto::icmp:
        size = 8;
        bit = layer_bit::icmp;
        break;
    case proto::icmpv6:
        size = 8;
        bit = layer_bit::icmpv6;
        break;
    default:
        return;
    }
    if (size > left()) return;
    out_.transport_protocol = protocol;
    out_.protocols |= bit;
    found(Layer::transport, size);
    found(Layer::application, 0);
}

std::uint32_t number_bit(std::uint8_t protocol) {
    switch (protocol) {
    case proto::tcp:
        return layer_bit::tcp;
    case proto::udp:
        return layer_bit::udp;
    case sctp:
        return layer_bit::sctp;
    case proto::icmp:
        return layer_bit::icmp;
    case proto::icmpv6:
        return layer_bit::icmpv6;
    case proto::ah:
        return layer_bit::ah;
    case esp:
        return layer_bit::esp;
    case gre:
        return layer_bit::gre;
    case ipip:
    case ip6_in_ip:
        return layer_bit::ipip;
    default:
        return 0;
    }
}

bool is_tunnel(std::uint8_t protocol) {
    return protocol == gre || protocol == ipip || protocol == ip6_in_ip;
}

void Walk::run() {
    end_ = static_cast<std::uint32_t>(std::min<std::size_t>(out_.packet.size(), 0xFFFFF));
    if (!ip(Layer::net, out_.net, layer_bit::ipv4, layer_bit::ipv6)) return;
    if (out_.net.later_fragment()) { // its number is all there is to see
        out_.protocols |= number_bit(out_.net.protocol);
        return;
    }
    std::uint8_t next = out_.net.protocol;
    if (!security(Layer::sec, next, out_.spi, out_.sec_protocol, layer_bit::ah, layer_bit::esp))
        return;
    if (!is_tunnel(next)) return transport(next);
    if (!tunnel(next)) return;
    if (!ip(Layer::tun_net, out_.inner, layer_bit::tun_ipv4, layer_bit::tun_ipv6)) return;
    if (out_.inner.later_fragment()) return;
    next = out_.inner.protocol;
    if (!security(Layer::tun_sec, next, out_.inner_spi, out_.inner_sec_protocol, layer_bit::tun_ah,
                  layer_bit::tun_esp))
        return;
    transport(next);
}

} // namespace

Bytes Layers::bytes(Layer layer, Element element) const {
    const Part& p = part(layer);
    if (!p.there()) return {};
    const Bytes whole = is_link(layer) ? frame : packet;
    switch (element) {
    case Element::header:
        return whole.subspan(p.begin, p.payload - p.begin);
    case Element::payload:
        return whole.subspan(p.payload, p.end - p.payload);
    case Element::packet:
        break;
    }
    return whole.subspan(p.begin, p.end - p.begin);
}

bool Layers::has_ports() const {
    return transport_protocol == packet::proto::tcp || transport_protocol == packet::proto::udp ||
           transport_protocol == sctp;
}

bool Layers::has_tag(std::uint16_t vlan) const {
    constexpr std::size_t size = 4;
    constexpr std::uint16_t id = 0x0FFF; // without priority
    for (Bytes tags = bytes(Layer::vlan, Element::header); tags.size() >= size;
         tags = tags.subspan(size))
        if ((load_be16(tags.data()) & id) == vlan) return true;
    return false;
}

bool Layers::goes_to(const std::array<std::uint8_t, 6>& hardware_address) const {
    return has(Layer::mac) &&
           std::equal(hardware_address.begin(), hardware_address.end(), frame.begin());
}

void walk_link(Layers& layers, Bytes frame, std::size_t size) {
    constexpr std::size_t mac_size = 14, tag_size = 4, pppoe_size = 8, label_size = 4;
    constexpr std::uint16_t pppoe = 0x8864, mpls = 0x8847, mpls_over_ppp = 0x0281;
    if (size < mac_size || size > frame.size()) return;
    layers.frame = frame;
    std::size_t at = 0;
    const auto found = [&](Layer layer, std::size_t header) {
        layers.parts[static_cast<std::size_t>(layer)] = {static_cast<std::uint32_t>(at),
                                                         static_cast<std::uint32_t>(at + header),
                                                         static_cast<std::uint32_t>(frame.size())};
        at += header;
    };
    found(Layer::mac, mac_size);
    layers.protocols |= layer_bit::eth;
    std::uint16_t type = load_be16(&frame[mac_size - 2]);
    std::size_t tags = 0;
    for (; type == 0x8100 || type == 0x88A8 || type == 0x9100; tags += tag_size) {
        if (size - at - tags < tag_size) return;
        type = load_be16(&frame[at + tags + 2]);
    }
    if (tags != 0) {
        found(Layer::vlan, tags);
        layers.protocols |= layer_bit::vlan;
    }
    std::size_t encapsulation = 0;
    if (type == pppoe && size - at >= pppoe_size) {
        encapsulation = pppoe_size;
        if (load_be16(&frame[at + 6]) == mpls_over_ppp) type = mpls;
    }
    for (bool last = type != mpls && type != mpls + 1; !last; encapsulation += label_size) {
        if (size - at - encapsulation < label_size) return;
        last = (frame[at + encapsulation + 2] & 1U) != 0;
    }
    if (encapsulation != 0) found(Layer::encap, encapsulation);
}

Layers walk_layers(Bytes packet) {
    Layers out;
    out.packet = packet;
    Walk(out).run();
    return out;
}

} // namespace nfqws2::rules
