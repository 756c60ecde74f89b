#include "payload_detector.hpp"

#include "nfqws2/protocol/detect.hpp"
#include "nfqws2/protocol/dns.hpp"
#include "nfqws2/protocol/quic.hpp"
#include "nfqws2/protocol/table.hpp"
#include "nfqws2/protocol/tls.hpp"

namespace nfqws2::engine {

using protocol::Payload;

namespace {

// Of messages that need no joining.
void name_host(Passage& p) {
    const auto host_of = protocol::row(p.payload).host;
    if (host_of != nullptr) p.raw_host = host_of(p.dis.payload);
}

} // namespace

Detected PayloadDetector::detect(Passage& p) {
    p.payload = p.dis.payload.empty() ? Payload::empty : Payload::unknown;
    return p.is_tcp() ? detect_tcp(p) : detect_udp(p);
}

void PayloadDetector::recognise_piece(Passage& p, Bytes message) const {
    if (p.is_tcp()) {
        p.payload = Payload::tls_client_hello;
        p.reasm_data = message;
        p.raw_host = protocol::tls_client_hello_host(message);
        return;
    }
    const protocol::Detection d =
        protocol::detect_udp(p.dis.payload, p.l7, options_.payload_disable);
    note_payload(p, d.payload, d.l7);
    if (protocol::is_client_hello_handshake(message)) {
        p.raw_host = protocol::client_hello_handshake_host(message);
        p.decrypt_data = message;
    }
}

Detected PayloadDetector::detect_tcp(Passage& p) {
    if (p.track != nullptr) past_.forget_answered(p);
    const bool examine = !p.dis.payload.empty() && (p.dis.tcp_flags() & packet::tcp_flag::syn) == 0;
    if (!p.reverse) return examine ? detect_tcp_initiator(p) : Detected::go_on;
    if (examine) {
        const protocol::Detection d =
            protocol::detect_tcp_responder(p.dis.payload, options_.payload_disable);
        note_payload(p, d.payload, d.l7);
    }
    if (!options_.server) watch_.reply(p);
    return Detected::go_on;
}

Detected PayloadDetector::detect_tcp_initiator(Passage& p) {
    const Bytes data = p.dis.payload;
    const auto news = HelloJoiner::is_joining(p) ? joiner_.feed(p) : std::nullopt;
    if (!options_.server) watch_.retransmission(p);
    if (news) {
        if (const std::optional<Detected> joined = joiner_.join_tls(p, *news)) return *joined;
    }
    if (const std::optional<Detected> past = past_.look(p)) return *past;
    const bool at_start = p.track != nullptr && positions_of(p).client.rseq() == 1;
    const protocol::Detection d =
        protocol::detect_tcp_initiator(data, at_start, options_.payload_disable);
    note_payload(p, d.payload, d.l7);
    if (p.payload == Payload::tls_client_hello) return joiner_.tls_client_hello(p);
    if (p.holding()) holder_.release(*p.track);
    if (p.payload == Payload::unknown && p.track != nullptr) return joiner_.undecided_start(p);
    name_host(p);
    return Detected::go_on;
}

Detected PayloadDetector::detect_udp(Passage& p) {
    if (p.dis.payload.empty()) return Detected::go_on;
    const protocol::Detection d =
        protocol::detect_udp(p.dis.payload, p.l7, options_.payload_disable);
    note_payload(p, d.payload, d.l7);
    if (p.payload == Payload::quic_initial && !p.reverse) return joiner_.quic_initial(p);
    if (!p.reverse) name_host(p);
    if (p.payload == Payload::dns_response && options_.ipcache_hostname) harvest_dns(p);
    return Detected::go_on;
}

// Only answers from port 53 are believed, as documented: anybody can send a datagram that looks
// like a response.
void PayloadDetector::harvest_dns(const Passage& p) {
    if (p.dis.source_port() != 53) return;
    protocol::harvest_dns(p.dis.payload, [this](const IpAddress& address, std::string_view name) {
        ip_cache_.set_hostname(address, name, false);
    });
}

} // namespace nfqws2::engine
