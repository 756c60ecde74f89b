// What is in the payload (docs/contracts/protocols.md#probes)?
#include "nfqws2/protocol/detect.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/protocol/dns.hpp"
#include "nfqws2/protocol/table.hpp"
#include "pipeline.hpp"

namespace nfqws2::engine {

using protocol::Payload;

void Pipeline::note_payload(Passage& p, Payload payload, protocol::L7 l7) {
    if (payload == Payload::unknown) return;
    if (log::debug_enabled())
        log::debug("packet contains %s payload", std::string(protocol::name(payload)).c_str());
    set_payload(p, payload, l7);
}

// The first known payload decides the protocol of the flow.
void Pipeline::set_payload(Passage& p, Payload payload, protocol::L7 l7) {
    p.payload = payload;
    if (p.l7 != protocol::L7::unknown) return;
    p.l7 = l7;
    if (p.track != nullptr) p.track->set_l7(l7);
}

Detected Pipeline::detect_tcp(Passage& p) {
    if (p.track != nullptr) forget_answered_hello(p);
    const bool examine = !p.dis.payload.empty() && (p.dis.tcp_flags() & packet::tcp_flag::syn) == 0;
    if (!p.reverse) return examine ? detect_tcp_initiator(p) : Detected::go_on;
    if (examine) {
        const protocol::Detection d =
            protocol::detect_tcp_responder(p.dis.payload, options.payload_disable);
        note_payload(p, d.payload, d.l7);
    }
    if (!options.server) watch_reply(p);
    return Detected::go_on;
}

Detected Pipeline::detect_tcp_initiator(Passage& p) {
    const Bytes data = p.dis.payload;
    const bool joining = p.track != nullptr && p.track->extension() != nullptr &&
                         p.track->extension()->reassembly != nullptr;
    const auto news = joining ? feed_hello(p) : std::nullopt;
    if (!options.server) watch_retransmission(p);
    if (news) {
        if (const std::optional<Detected> joined = join_tls(p, *news)) return *joined;
    }
    if (const std::optional<Detected> past = past_hello(p)) return *past;
    const bool at_start = p.track != nullptr && positions_of(p).client.rseq() == 1;
    const protocol::Detection d =
        protocol::detect_tcp_initiator(data, at_start, options.payload_disable);
    note_payload(p, d.payload, d.l7);
    if (p.payload == Payload::tls_client_hello) return tls_client_hello(p);
    if (p.track != nullptr && p.track->holding()) release(*p.track);
    if (p.payload == Payload::unknown && p.track != nullptr) return undecided_start(p);
    find_host(p);
    return Detected::go_on;
}

Detected Pipeline::detect_udp(Passage& p) {
    if (p.dis.payload.empty()) return Detected::go_on;
    const protocol::Detection d =
        protocol::detect_udp(p.dis.payload, p.l7, options.payload_disable);
    note_payload(p, d.payload, d.l7);
    if (p.payload == Payload::quic_initial && !p.reverse) return quic_initial(p);
    if (!p.reverse) find_host(p);
    if (p.payload == Payload::dns_response && options.ipcache_hostname) harvest_dns(p);
    return Detected::go_on;
}

// Of messages that need no joining.
void Pipeline::find_host(Passage& p) {
    const auto host_of = protocol::row(p.payload).host;
    if (host_of != nullptr) p.raw_host = host_of(p.dis.payload);
}

// Only answers from port 53 are believed, as documented: anybody can send a datagram that looks
// like a response.
void Pipeline::harvest_dns(const Passage& p) {
    if (p.dis.source_port() != 53) return;
    protocol::harvest_dns(p.dis.payload, [this](const IpAddress& address, std::string_view name) {
        ip_cache.set_hostname(address, name, false);
    });
}

} // namespace nfqws2::engine
