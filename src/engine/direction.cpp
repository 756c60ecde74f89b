#include "direction.hpp"

namespace nfqws2::engine {

void set_flow_direction(Passage& p, bool reverse, bool server_mode) {
    p.reverse = reverse;
    p.incoming = reverse != server_mode;
}

void guess_direction(Passage& p) {
    p.incoming = !p.ifin.empty() && p.ifout.empty();
    p.reverse = p.incoming;
}

void set_target(Passage& p, bool server_mode) {
    p.target = p.incoming ? p.dis.source() : p.dis.destination();
    if (p.dis.l4 != packet::L4::tcp && p.dis.l4 != packet::L4::udp) return;
    const bool server_sent = p.incoming != server_mode;
    p.target_port = server_sent ? p.dis.source_port() : p.dis.destination_port();
    p.near_port = server_sent ? p.dis.destination_port() : p.dis.source_port();
}

} // namespace nfqws2::engine
