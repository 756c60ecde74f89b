// The probe lists (docs/contracts/protocols.md#probes): which payload type do these bytes have?
// What is asked, and in which order, follows from table.hpp.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/protocol/names.hpp"

namespace nfqws2::protocol {

struct Detection {
    Payload payload = Payload::unknown; // unknown = nothing matched
    L7 l7 = L7::unknown;                // flow protocol that goes with it
};

// `data` is never empty; `at_start`: nothing of the stream came before it. Types in `disabled` are
// skipped.
Detection detect_tcp_initiator(Bytes data, bool at_start, const DisableSet& disabled);
Detection detect_tcp_responder(Bytes data, const DisableSet& disabled);
Detection detect_udp(Bytes data, L7 flow, const DisableSet& disabled);

// The flow protocols that packets of these carriers (bits of table.hpp) can reveal.
L7Set protocols_over(std::uint8_t carriers);

// ICMP types that quote a packet (union of both families).
bool icmp_type_quotes_packet(std::uint8_t type);
// ipv4 or ipv6 if the ICMP message (from its type byte on) quotes such a packet at offset 8, else
// icmp.
Payload classify_icmp(Bytes message);

} // namespace nfqws2::protocol
