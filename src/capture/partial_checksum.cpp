#include "partial_checksum.hpp"

#include "nfqws2/packet/checksum.hpp"
#include "nfqws2/packet/dissect.hpp"

namespace nfqws2::capture {

bool complete_checksum(MutBytes packet) {
    const packet::Dissect d = packet::dissect(packet);
    if (d.l4 != packet::L4::tcp && d.l4 != packet::L4::udp) return false;
    const auto kind = d.l4 == packet::L4::tcp ? packet::L4Checksum::tcp : packet::L4Checksum::udp;
    const Bytes ip = d.packet.first(d.l3_len), header = d.packet.subspan(d.l3_len, d.l4_len);
    std::uint8_t* field = packet.data() + d.l3_len + packet::checksum_offset(kind);
    if (load_be16(field) != packet::pseudo_header_sum(kind, ip, header.size() + d.payload.size()))
        return false;
    store_be16(field, packet::l4_checksum(kind, ip, header, d.payload));
    return true;
}

} // namespace nfqws2::capture
