// What scripts may ask of connection tracking and change there. The engine implements it; without
// --ct there is none.
#pragma once

#include "nfqws2/capture/packet_io.hpp"
#include "nfqws2/packet/connection.hpp"

#include <optional>

namespace nfqws2::flow {
class CtSim;
}

namespace nfqws2::lua {

// That of the packet on its way.
class PacketConnection {
  public:
    virtual ~PacketConnection() = default;
    virtual packet::CtState state() = 0;
    virtual const packet::CtFacts& facts() = 0;
    // nullptr, or why it cannot be.
    virtual const char* set(const packet::CtChanges& changes) = 0;
    // 0 or an errno. An empty protocol is that of the flow.
    virtual int expect(const packet::CtExpectation& expectation) = 0;
};

// Any.
class Connections {
  public:
    virtual ~Connections() = default;
    virtual packet::CtSource source() const = 0;
    // Nothing: *error is an errno.
    virtual std::optional<packet::Connection> find(const packet::CtTuple& tuple, std::uint16_t zone,
                                                   int* error) = 0;
    // A packet that comes in by a queue of a script, perhaps while another is looked at; what is
    // known of the last one; the verdict on it.
    virtual void arrives(const capture::InputPacket& packet) = 0;
    virtual const packet::CtFacts& facts() = 0;
    virtual void leaves(bool dropped) = 0;
};

// For scripts that were written for the kernel's interfaces, where there is no kernel.
class SimulationDoor {
  public:
    virtual ~SimulationDoor() = default;
    // Begins with the first call; nullptr: --ct takes facts from the kernel.
    virtual flow::CtSim* simulation() = 0;
    // Who has to see the packets of queues of scripts: --ct, the simulation or nobody.
    virtual Connections* watching() = 0;
};

} // namespace nfqws2::lua
