// Which packets a profile can be selected for, as sets of ports, ICMP types and protocols. Filters
// are taken as they are now: a list that is filled later can only take fewer packets.
#pragma once

#include "nfqws2/profile/profile.hpp"

#include <bitset>
#include <cstddef>

namespace nfqws2::app {

constexpr std::size_t port_count = 65536;

struct Reach {
    std::bitset<port_count> tcp, udp, icmp; // icmp: type * 256 + code
    std::bitset<256> ipp;

    bool none() const { return tcp.none() && udp.none() && icmp.none() && ipp.none(); }
    void remove(const Reach& other) {
        tcp &= ~other.tcp;
        udp &= ~other.udp;
        icmp &= ~other.icmp;
        ipp &= ~other.ipp;
    }
    bool meets(const Reach& other) const {
        return (tcp & other.tcp).any() || (udp & other.udp).any() || (icmp & other.icmp).any() ||
               (ipp & other.ipp).any();
    }
};

// What the filters of the profile let through, other than by lists, address family and machine.
Reach reach_of(const profile::Profile& profile);
// Whatever `b` accepts `a` accepts too, apart from what is in Reach.
bool covers(const profile::Profile& a, const profile::Profile& b);
// Why no packet can match, or nullptr.
const char* impossible(const profile::Profile& profile);

} // namespace nfqws2::app
