// Theory of operation. Routers that forward known connections in hardware take one over when the
// first segment of a ClientHello does not come out of the queue: the rest then never gets there.
// With --fastpath-workaround the first held segment leaves as an ACK without data instead of being
// dropped; its data comes with the replay. "auto" begins with that for a server when two
// retransmissions were seen while messages to it were unfinished, which is how the loss shows.
#include "fastpath.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/packet/checksum.hpp"

namespace nfqws2::engine {

namespace {

constexpr std::uint8_t enough_retransmissions = 2;

} // namespace

capture::Verdict Fastpath::instead_of_held(Passage& p) {
    const capture::Verdict drop{capture::Action::drop, {}};
    if (use_ == FastpathWorkaround::off) return drop;
    flow::TrackExtension* extension = p.track->extension();
    if (extension == nullptr || extension->reassembly == nullptr) return drop; // it is complete
    if (!wants_acknowledgement(p) || extension->start_acknowledged ||
        extension->held.front().positions.client.seq != p.dis.tcp_seq())
        return drop;
    extension->start_acknowledged = true;
    log::debug("fastpath workaround: an empty ACK goes on");
    return bare_acknowledgement(p.dis);
}

bool Fastpath::wants_acknowledgement(const Passage& p) {
    if (use_ == FastpathWorkaround::on) return true;
    if (p.track->is_retransmission())
        return ip_cache_.count_held_retransmission(p.target) >= enough_retransmissions;
    return ip_cache_.find(p.target, {}, cached_) &&
           cached_.held_retransmissions >= enough_retransmissions;
}

// The headers of the packet, with no flag but ACK.
capture::Verdict Fastpath::bare_acknowledgement(const packet::Dissect& d) {
    const std::size_t size = std::size_t{d.l3_len} + d.l4_len;
    const Bytes headers = d.packet.first(size);
    substitute_.assign(headers.begin(), headers.end());
    const MutBytes out(substitute_);
    if (d.l3 == packet::L3::ipv4) {
        store_be16(out.data() + 2, static_cast<std::uint16_t>(size));
        packet::fix_ipv4_checksum(out);
    } else {
        constexpr std::size_t ipv6_base = 40;
        store_be16(out.data() + 4, static_cast<std::uint16_t>(size - ipv6_base));
    }
    const MutBytes tcp = out.subspan(d.l3_len);
    tcp[13] = packet::tcp_flag::ack;
    store_be16(tcp.data() + 18, 0); // urgent pointer
    const auto kind = packet::L4Checksum::tcp;
    store_be16(tcp.data() + packet::checksum_offset(kind), packet::l4_checksum(kind, out, tcp, {}));
    return {capture::Action::modify, substitute_};
}

} // namespace nfqws2::engine
