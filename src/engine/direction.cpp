// Which way does the packet go, whom is it about (docs/contracts/flows.md#direction-and-target)?
#include "pipeline.hpp"

namespace nfqws2::engine {

void Pipeline::set_flow_direction(Passage& p, bool reverse) const {
    p.reverse = reverse;
    p.incoming = reverse != options.server;
}

// Without a track the interfaces are all there is: PREROUTING and INPUT have no output interface.
// --server does not invert this guess.
void Pipeline::guess_direction(Passage& p) const {
    p.incoming = !p.ifin.empty() && p.ifout.empty();
    p.reverse = p.incoming;
}

void Pipeline::set_target(Passage& p) const {
    p.target = p.incoming ? p.dis.source() : p.dis.destination();
    if (p.dis.l4 != packet::L4::tcp && p.dis.l4 != packet::L4::udp) return;
    const bool server_sent = p.incoming != options.server;
    p.target_port = server_sent ? p.dis.source_port() : p.dis.destination_port();
    p.near_port = server_sent ? p.dis.destination_port() : p.dis.source_port();
}

std::string_view Pipeline::ssid(const Passage& p) const {
    if (!services.ssid_of) return {};
    const bool flow_packet = p.dis.l4 == packet::L4::tcp || p.dis.l4 == packet::L4::udp;
    if (flow_packet) return services.ssid_of(p.incoming ? p.ifin : p.ifout);
    const std::string_view by_input = services.ssid_of(p.ifin);
    return by_input.empty() ? services.ssid_of(p.ifout) : by_input;
}

} // namespace nfqws2::engine
