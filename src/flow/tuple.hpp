// Both endpoints of a packet as the connection table compares them.
#pragma once

#include "nfqws2/base/siphash.hpp"
#include "nfqws2/packet/dissect.hpp"

#include <array>
#include <cstdint>

namespace nfqws2::flow {

struct Tuple {
    std::array<std::uint8_t, 16> source{}, destination{};
    std::uint16_t source_port = 0, destination_port = 0;
    bool tcp = false, ipv6 = false;

    // The packet must have ports.
    static Tuple of(const packet::Dissect& d);
    Tuple swapped() const {
        return {destination, source, destination_port, source_port, tcp, ipv6};
    }
    std::uint32_t hash(const SipKey& key) const; // the same for both directions

    bool source_is(const std::array<std::uint8_t, 16>& address, std::uint16_t port) const {
        return source_port == port && source == address;
    }
    bool destination_is(const std::array<std::uint8_t, 16>& address, std::uint16_t port) const {
        return destination_port == port && destination == address;
    }
};

// Whole TCP and UDP packets take part in tracking.
bool is_tracked(const packet::Dissect& d);
// Enough for a search: the first four bytes behind the IP header are ports, however little follows.
bool has_ports(const packet::Dissect& d);

} // namespace nfqws2::flow
