// What scripts may ask of connection tracking and change there. The engine implements it; without
// --ct there is none.
#pragma once

#include "nfqws2/packet/connection.hpp"

#include <optional>

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
};

} // namespace nfqws2::lua
