// A dropped first packet would take the kernel's conntrack entry with it: a crippled packet that no
// host accepts goes out instead (docs/contracts/wire.md#the-first-packet-of-a-connection).
#pragma once

#include "nfqws2/capture/packet_io.hpp"
#include "passage.hpp"

namespace nfqws2::engine {

class FirstDrop {
  public:
    explicit FirstDrop(bool server_mode) : server_mode_(server_mode) {}

    // The verdict, or another one in its place, whose data are good until the next call. `held`: a
    // copy of the packet was put aside.
    capture::Verdict substitute(Passage& p, capture::Verdict verdict, bool held);

  private:
    bool concerns(Passage& p) const;

    bool server_mode_;
    std::vector<std::uint8_t> substitute_;
};

} // namespace nfqws2::engine
