// The counters of both sides of a flow (docs/contracts/flows.md#counters-and-positions), as scripts
// see them in `track.pos`. A plain value: copied when a packet is held back.
#pragma once

#include <cstdint>

namespace nfqws2::flow {

struct SidePositions {
    std::uint64_t pcounter = 0, pdcounter = 0, pbcounter = 0; // packets, data packets, bytes
    std::uint32_t ip6_flow = 0;                               // 0 = unknown; TCP over IPv6 only
    // TCP only; absolute sequence numbers
    std::uint32_t seq0 = 0, seq = 0, pos = 0, uppos = 0, uppos_prev = 0;
    std::uint32_t winsize_calc = 0;
    std::uint16_t winsize = 0, mss = 0;
    std::uint8_t scale = 0;
    bool seq0_known = false;
    bool rseq_over_2g = false;

    std::uint32_t rseq() const { return seq - seq0; }
    std::uint32_t rpos() const { return pos - seq0; }
};

struct Positions {
    SidePositions client, server;
    std::int64_t last_ns = 0; // boot clock, last packet
};

} // namespace nfqws2::flow
