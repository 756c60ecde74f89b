#include "first_drop.hpp"

#include "nfqws2/base/log.hpp"

namespace nfqws2::engine {

bool FirstDrop::concerns(Passage& p) const {
    if (p.track != nullptr) {
        const flow::Positions& positions = positions_of(p);
        return (server_mode_ ? positions.server : positions.client).pcounter == 1;
    }
    using namespace packet::tcp_flag;
    if (!p.is_tcp()) return false;
    const int flags = p.dis.tcp_flags() & (urg | ack | psh | rst | syn | fin);
    return flags == syn || flags == (syn | ack);
}

capture::Verdict FirstDrop::substitute(Passage& p, capture::Verdict verdict, bool held) {
    if (verdict.action != capture::Action::drop || (p.incoming && !held) || !concerns(p))
        return verdict;
    log::debug("applying linux postnat conntrack workaround");
    substitute_.assign(p.dis.packet.begin(), p.dis.packet.end());
    if (p.dis.l3 == packet::L3::ipv4) {
        substitute_[9] = 255;
        substitute_[8] = 1;
    } else {
        substitute_[6] = 255;
        substitute_[7] = 1;
    }
    return {capture::Action::modify, substitute_};
}

} // namespace nfqws2::engine
