// The first packet from the other side tells its distance; a later flow to the same address starts
// with the remembered value (docs/contracts/flows.md#ip-cache).
#pragma once

#include "nfqws2/flow/ip_cache.hpp"
#include "passage.hpp"

namespace nfqws2::engine {

class DistanceMemory {
  public:
    DistanceMemory(flow::IpCache& ip_cache, bool server_mode)
        : ip_cache_(ip_cache), server_mode_(server_mode) {}

    // Of a packet with a flow.
    void learn(Passage& p);

  private:
    flow::IpCache& ip_cache_;
    bool server_mode_;
    flow::IpCacheRecord cached_;
};

} // namespace nfqws2::engine
