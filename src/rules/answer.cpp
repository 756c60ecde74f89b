#include "answer.hpp"

#include "nfqws2/packet/checksum.hpp"
#include "nfqws2/packet/dissect.hpp"

#include <algorithm>

namespace nfqws2::rules {
namespace {

constexpr std::size_t ipv4_header = 20, ipv6_header = 40, tcp_header = 20, mss_option = 4;
constexpr std::uint8_t hops = 64;

void fill_ipv4(MutBytes ip, const AuthAnswer& answer, std::size_t total) {
    ip[0] = 0x45;
    store_be16(&ip[2], static_cast<std::uint16_t>(total));
    ip[6] = 0x40; // don't fragment
    ip[8] = hops;
    ip[9] = packet::proto::tcp;
    std::copy_n(answer.source.raw.begin(), 4, ip.begin() + 12);
    std::copy_n(answer.destination.raw.begin(), 4, ip.begin() + 16);
    packet::fix_ipv4_checksum(ip.first(ipv4_header));
}

void fill_ipv6(MutBytes ip, const AuthAnswer& answer, std::size_t length) {
    ip[0] = 0x60;
    store_be16(&ip[4], static_cast<std::uint16_t>(length));
    ip[6] = packet::proto::tcp;
    ip[7] = hops;
    std::copy_n(answer.source.raw.begin(), 16, ip.begin() + 8);
    std::copy_n(answer.destination.raw.begin(), 16, ip.begin() + 24);
}

} // namespace

std::vector<std::uint8_t> build_answer(const AuthAnswer& answer) {
    const bool ipv4 = answer.source.version == 4;
    const std::size_t ip = ipv4 ? ipv4_header : ipv6_header;
    const std::size_t tcp = tcp_header + (answer.mss != 0 ? mss_option : 0);
    std::vector<std::uint8_t> packet(ip + tcp);
    const MutBytes header = MutBytes(packet).subspan(ip);
    store_be16(&header[0], answer.source_port);
    store_be16(&header[2], answer.destination_port);
    store_be32(&header[4], answer.seq);
    store_be32(&header[8], answer.ack);
    header[12] = static_cast<std::uint8_t>(tcp / 4 << 4);
    header[13] = answer.flags;
    store_be16(&header[14], answer.window);
    if (answer.mss != 0) {
        header[20] = 2;
        header[21] = mss_option;
        store_be16(&header[22], answer.mss);
    }
    if (ipv4)
        fill_ipv4(packet, answer, packet.size());
    else
        fill_ipv6(packet, answer, tcp);
    store_be16(&header[16],
               packet::l4_checksum(packet::L4Checksum::tcp, Bytes(packet).first(ip), header, {}));
    return packet;
}

} // namespace nfqws2::rules
