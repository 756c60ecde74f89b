#include "passage.hpp"

#include "nfqws2/base/log.hpp"

namespace nfqws2::engine {

void set_payload(Passage& p, protocol::Payload payload, protocol::L7 l7) {
    p.payload = payload;
    if (p.l7 != protocol::L7::unknown) return;
    p.l7 = l7;
    if (p.track != nullptr) p.track->set_l7(l7);
}

void note_payload(Passage& p, protocol::Payload payload, protocol::L7 l7) {
    if (payload == protocol::Payload::unknown) return;
    if (log::debug_enabled())
        log::debug("packet contains %s payload", std::string(protocol::name(payload)).c_str());
    set_payload(p, payload, l7);
}

} // namespace nfqws2::engine
