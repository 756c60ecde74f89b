// Hellos that have left, until the server has answered.
#pragma once

#include "packet_clock.hpp"
#include "replayer.hpp"

namespace nfqws2::engine {

class PastHellos {
  public:
    PastHellos(flow::ConnectionTable* connections, Replayer& replayer, const PacketClock& now)
        : connections_(connections), replayer_(replayer), now_(now) {}

    // For each TCP packet of a flow, before anything else is made of it.
    void forget_answered(Passage& p);
    // Data from the client. nullopt: it has nothing to do with such a hello.
    std::optional<Detected> look(Passage& p);
    // The frames of a QUIC Initial. nullopt: nothing of this connection has left.
    std::optional<Detected> rest_of_quic(Passage& p, Bytes frames);

  private:
    std::optional<Detected> rest_of_hello(Passage& p, flow::PastHello& past);
    void repeat(Passage& p);

    flow::ConnectionTable* connections_;
    Replayer& replayer_;
    const PacketClock& now_;
};

} // namespace nfqws2::engine
