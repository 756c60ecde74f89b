// Where packets leave. The type says whether the trace (--trace) shows them there: nobody takes the
// wrong door, and each constructor that asks for one says what it sends.
#pragma once

#include "nfqws2/capture/packet_io.hpp"

#include <cstdint>

namespace nfqws2::capture {

enum class Shown : std::uint8_t {
    as_generated, // packets of our own making: those of scripts, the reset of an automatic list
    elsewhere,    // packets that came in and were put aside: the trace tells their own story
};

template <Shown shown> class Outlet {
  public:
    explicit Outlet(PacketSender& sender) : sender_(&sender) {}
    // As PacketSender has it.
    bool send(const OutputPacket& packet) const { return sender_->send(packet); }

  private:
    PacketSender* sender_;
};

using TracedOutlet = Outlet<Shown::as_generated>;
using UntracedOutlet = Outlet<Shown::elsewhere>;

} // namespace nfqws2::capture
