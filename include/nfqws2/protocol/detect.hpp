// The probe lists (spec part 04 sections 2.3 and 3-9): which payload type do these bytes have?
// One signature function per protocol lives in that protocol's file; this is only the order.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/protocol/names.hpp"

namespace nfqws2::protocol {

struct Detection {
    Payload payload = Payload::unknown; // unknown = nothing matched
    L7 l7 = L7::unknown;                // flow protocol that goes with it
};

// `data` is never empty. Types in `disabled` are skipped.
Detection detect_tcp_initiator(Bytes data, const DisableSet& disabled);
// Separate because it needs the relative sequence to be 1; call only if the above found nothing.
Detection detect_mtproto(Bytes data, const DisableSet& disabled);
Detection detect_tcp_responder(Bytes data, const DisableSet& disabled);
Detection detect_udp(Bytes data, L7 flow, const DisableSet& disabled);

// The flow protocols that the lists above can find in flows over TCP and UDP.
L7Set tcp_flow_protocols();
L7Set udp_flow_protocols();

// ICMP types that quote a packet (union of both families).
bool icmp_type_quotes_packet(std::uint8_t type);
// Section 2.4: ipv4 or ipv6 if the ICMP message (from its type byte on) quotes such a packet at
// offset 8, else icmp.
Payload classify_icmp(Bytes message);

} // namespace nfqws2::protocol
