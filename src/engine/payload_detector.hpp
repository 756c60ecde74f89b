// What is in the payload (docs/contracts/protocols.md#probes)?
#pragma once

#include "auto_host_watch.hpp"
#include "hello_joiner.hpp"

namespace nfqws2::engine {

class PayloadDetector {
  public:
    PayloadDetector(const Options& options, flow::IpCache& ip_cache, HelloJoiner& joiner,
                    PastHellos& past, Holder& holder, AutoHostWatch& watch)
        : options_(options), ip_cache_(ip_cache), joiner_(joiner), past_(past), holder_(holder),
          watch_(watch) {}

    // Of a TCP or UDP packet.
    Detected detect(Passage& p);
    // Of a replayed packet, whose joined message is known.
    void recognise_piece(Passage& p, Bytes message) const;

  private:
    Detected detect_tcp(Passage& p);
    Detected detect_tcp_initiator(Passage& p);
    Detected detect_udp(Passage& p);
    void harvest_dns(const Passage& p);

    const Options& options_;
    flow::IpCache& ip_cache_;
    HelloJoiner& joiner_;
    PastHellos& past_;
    Holder& holder_;
    AutoHostWatch& watch_;
};

} // namespace nfqws2::engine
