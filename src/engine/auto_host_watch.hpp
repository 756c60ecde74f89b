// Does a host need help that no list has (docs/contracts/lists.md#detectors)?
#pragma once

#include "nfqws2/base/random.hpp"
#include "nfqws2/capture/outlet.hpp"
#include "nfqws2/profile/auto_hosts.hpp"
#include "passage.hpp"

namespace nfqws2::engine {

class AutoHostWatch {
  public:
    AutoHostWatch(profile::AutoHosts& hosts, capture::TracedOutlet outlet, Random& random,
                  std::uint32_t desync_fwmark)
        : hosts_(hosts), outlet_(outlet), random_(random), desync_fwmark_(desync_fwmark) {}

    // TCP data from the client, from the server, any UDP.
    void retransmission(Passage& p);
    void reply(Passage& p);
    void udp(Passage& p);

  private:
    void report(const Passage& p, flow::AutoHostState& state, bool failed, std::string reason);
    void send_reset(const Passage& p);

    profile::AutoHosts& hosts_;
    capture::TracedOutlet outlet_;
    Random& random_;
    std::uint32_t desync_fwmark_;
};

} // namespace nfqws2::engine
