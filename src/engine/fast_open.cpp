// Theory of operation. With TCP Fast Open (RFC 7413) a ClientHello, or its beginning, stands in the
// SYN. Scripts cannot cut a SYN, and what is behind it must wait for the answer. So the data is
// taken off and the SYN goes on without it, which every server and client copes with: the answer
// acknowledges the SYN alone, and the client sends the data again behind the handshake, where the
// hello is joined and shown to scripts as any other. The flow has never seen the data: counters and
// positions are those of a connection without Fast Open.
#include "fast_open.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/packet/checksum.hpp"
#include "nfqws2/protocol/tls.hpp"

namespace nfqws2::engine {

void FastOpen::withhold(Passage& p) {
    using namespace packet::tcp_flag;
    if ((p.dis.tcp_flags() & (syn | ack | fin | rst | urg)) != syn || p.dis.payload.empty() ||
        options_.server || options_.ctrack_disable)
        return;
    if (options_.payload_disable.contains(protocol::Payload::tls_client_hello) ||
        options_.reasm_disable.contains(protocol::Payload::tls_client_hello) ||
        protocol::tls_hello_extent(p.dis.payload).is == protocol::TlsHelloExtent::Is::foreign)
        return;
    log::debug("TCP Fast Open: %zu bytes of a TLS hello are taken off the SYN",
               p.dis.payload.size());
    const std::size_t size = p.dis.packet.size() - p.dis.payload.size();
    bare_syn_.assign(p.dis.packet.begin(),
                     p.dis.packet.begin() + static_cast<std::ptrdiff_t>(size));
    const MutBytes bytes(bare_syn_);
    const std::size_t l3 = p.dis.l3_len;
    if (p.dis.l3 == packet::L3::ipv4) {
        store_be16(&bytes[2], static_cast<std::uint16_t>(size));
        packet::fix_ipv4_checksum(bytes.first(std::size_t{bytes[0]} % 16 * 4));
    } else {
        store_be16(&bytes[4], static_cast<std::uint16_t>(size - 40));
    }
    const std::uint16_t checksum =
        packet::l4_checksum(packet::L4Checksum::tcp, Bytes(bytes), Bytes(bytes).subspan(l3), {});
    store_be16(&bytes[l3 + packet::checksum_offset(packet::L4Checksum::tcp)], checksum);
    p.dis = packet::dissect(bare_syn_);
    p.bare_syn = true;
}

} // namespace nfqws2::engine
