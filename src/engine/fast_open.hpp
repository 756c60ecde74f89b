// Hellos in a SYN.
#pragma once

#include "nfqws2/engine/engine.hpp"
#include "passage.hpp"

namespace nfqws2::engine {

class FastOpen {
  public:
    explicit FastOpen(const Options& options) : options_(options) {}

    // For TCP packets: what a SYN carries of a hello is taken off.
    void withhold(Passage& p);
    // The packet as it is then; good until the next one.
    Bytes bare_syn() const { return bare_syn_; }

  private:
    const Options& options_;
    std::vector<std::uint8_t> bare_syn_;
};

} // namespace nfqws2::engine
