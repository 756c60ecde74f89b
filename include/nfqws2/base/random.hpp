// Randomness is injected too: `secure()` for the network, `seeded()` for reproducible offline runs.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <memory>

namespace nfqws2 {

class Random {
  public:
    virtual ~Random() = default;
    // Fast generator, for padding, ids and names. Never fails.
    virtual std::uint64_t next64() = 0;
    // Cryptographic bytes; false if the system has no entropy source.
    virtual bool fill_secure(MutBytes out) = 0;

    void fill(MutBytes out);                  // fast bytes
    std::uint32_t below(std::uint32_t bound); // uniform in 0..bound-1; 0 for bound 0
};

// Fast part seeded from getrandom(2), secure part straight from it.
std::unique_ptr<Random> make_secure_random();
// Everything, the "secure" part included, follows from the seed.
std::unique_ptr<Random> make_seeded_random(std::uint64_t seed);

} // namespace nfqws2
