// SipHash-2-4 with 128-bit output. Keyed with process-wide random bits, so that nobody who chooses
// host names can make them collide.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <cstdint>

namespace nfqws2::profile {

struct HashKey {
    std::uint64_t k0 = 0, k1 = 0;
};
struct Hash128 {
    std::uint64_t first = 0, second = 0;
    bool operator==(const Hash128&) const = default;
};

Hash128 siphash128(Bytes data, const HashKey& key);
const HashKey& process_hash_key(); // drawn once per process

} // namespace nfqws2::profile
