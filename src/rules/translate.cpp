#include "translate.hpp"

#include <algorithm>

namespace nfqws2::rules {
namespace {

// The checksum at `field` covers bytes that change from `before` to `after` (even lengths).
void correct(std::uint8_t* field, Bytes before, Bytes after) {
    std::uint32_t sum = static_cast<std::uint16_t>(~load_be16(field));
    for (std::size_t i = 0; i < before.size(); i += 2) {
        sum += static_cast<std::uint16_t>(~load_be16(&before[i]));
        sum += load_be16(&after[i]);
    }
    while (sum > 0xFFFF)
        sum = (sum & 0xFFFF) + (sum >> 16);
    store_be16(field, static_cast<std::uint16_t>(~sum));
}

void correct_transport(MutBytes packet, const Layers& layers, Bytes before, Bytes after) {
    if (layers.has(Layer::tun) || !layers.has(Layer::transport)) return;
    std::uint8_t* header = packet.data() + layers.part(Layer::transport).begin;
    switch (layers.transport_protocol) {
    case packet::proto::tcp:
        return correct(header + 16, before, after);
    case packet::proto::udp:
        if (load_be16(header + 6) == 0) return; // there is none
        correct(header + 6, before, after);
        if (load_be16(header + 6) == 0) store_be16(header + 6, 0xFFFF);
        return;
    case packet::proto::icmpv6:
        return correct(header + 2, before, after);
    default:
        return;
    }
}

} // namespace

bool translate(MutBytes packet, const Layers& layers, const action::Translate& how) {
    const bool ipv4 = layers.net.version == packet::L3::ipv4;
    const auto& prefix = ipv4 ? how.v4 : how.v6;
    if (!layers.has(Layer::net) || !prefix) return false;
    const std::size_t size = ipv4 ? 4 : 16;
    const std::size_t offset = (ipv4 ? 12U : 8U) + (how.end == End::destination ? size : 0U);
    const MutBytes address = packet.subspan(offset, size);
    std::array<std::uint8_t, 16> before{}, after{};
    std::copy(address.begin(), address.end(), before.begin());
    for (std::size_t i = 0; i < size; i++) {
        const unsigned begin = static_cast<unsigned>(i) * 8;
        const unsigned kept = prefix->length > begin ? std::min(prefix->length - begin, 8U) : 0U;
        const auto mask = static_cast<std::uint8_t>(0xFF00U >> kept);
        after[i] = static_cast<std::uint8_t>((prefix->address.raw[i] & mask) |
                                             (before[i] & static_cast<std::uint8_t>(~mask)));
    }
    std::copy_n(after.begin(), size, address.begin());
    const Bytes was = Bytes(before).first(size), is = Bytes(after).first(size);
    if (ipv4) correct(packet.data() + 10, was, is);
    correct_transport(packet, layers, was, is);
    return true;
}

} // namespace nfqws2::rules
