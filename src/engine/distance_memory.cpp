#include "distance_memory.hpp"

#include "nfqws2/base/log.hpp"

namespace nfqws2::engine {

void DistanceMemory::learn(Passage& p) {
    flow::Track* track = p.track;
    if (p.incoming) {
        const bool real = track->incoming_ttl() != 0 && !track->incoming_ttl_from_cache();
        if (!real) {
            if (track->incoming_ttl() != p.dis.ttl()) log::debug("incoming TTL %u", p.dis.ttl());
            track->set_incoming_ttl(p.dis.ttl(), false);
        }
        if (!server_mode_ && ip_cache_.set_ttl(p.target, p.ifin, track->incoming_ttl()))
            log::debug("updated ttl cache");
        return;
    }
    if (server_mode_ || track->incoming_ttl() != 0) return;
    if (!ip_cache_.find(p.target, p.ifout, cached_) || cached_.ttl == 0) return;
    track->set_incoming_ttl(cached_.ttl, true);
    log::debug("got cached ttl %u", cached_.ttl);
}

} // namespace nfqws2::engine
