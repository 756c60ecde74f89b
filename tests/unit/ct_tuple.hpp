// A tuple of connection tracking, for tests.
#pragma once

#include "nfqws2/packet/connection.hpp"

namespace nfqws2::test {

inline packet::CtTuple tcp_tuple(const char* src, const char* dst, std::uint16_t sport,
                                 std::uint16_t dport) {
    packet::CtTuple t;
    t.proto = 6;
    t.src = *IpAddress::parse(src);
    t.dst = *IpAddress::parse(dst);
    t.sport = sport;
    t.dport = dport;
    return t;
}

} // namespace nfqws2::test
