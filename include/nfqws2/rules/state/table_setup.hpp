// What every table of the rules is told when it is made.
#pragma once

#include "nfqws2/base/memory_budget.hpp"
#include "nfqws2/base/siphash.hpp"

#include <cstddef>
#include <cstdint>

namespace nfqws2::rules {

struct TableSetup {
    std::size_t entries = 0;           // upper end for the process, not reserved
    bool shared = false;               // used by several threads: up to 64 parts with a lock each
    unsigned ipv6_source_bits = 64;    // of an IPv6 source address, 1..128: the rest is cut
    MemoryBudget* budget = nullptr;    // asked before growing; outlives the table; may be absent
    SipKey key = SipKey::of_process(); // from the seed where runs must repeat
};

// What `stats` and SIGUSR2 tell of a table. Sums over its parts, each looked at by itself.
struct TableCounts {
    std::size_t entries = 0;
    std::size_t bytes = 0;
    std::uint64_t evicted = 0; // entries that had to go for newer ones before their time
};

} // namespace nfqws2::rules
