// What leaves in place of the first held segment of a TLS hello (--fastpath-workaround).
#pragma once

#include "nfqws2/engine/engine.hpp"
#include "passage.hpp"

namespace nfqws2::engine {

class Fastpath {
  public:
    Fastpath(FastpathWorkaround use, flow::IpCache& ip_cache) : use_(use), ip_cache_(ip_cache) {}

    // For TCP packets that were put aside. The data of a verdict are good until the next call.
    capture::Verdict instead_of_held(Passage& p);

  private:
    bool wants_acknowledgement(const Passage& p);
    capture::Verdict bare_acknowledgement(const packet::Dissect& d);

    FastpathWorkaround use_;
    flow::IpCache& ip_cache_;
    flow::IpCacheRecord cached_;
    std::vector<std::uint8_t> substitute_;
};

} // namespace nfqws2::engine
