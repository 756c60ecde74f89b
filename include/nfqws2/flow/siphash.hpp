// SipHash (Aumasson, Bernstein 2012): the keyed hash of tables whose keys come from the network, so
// that nobody outside can aim many keys at one bucket.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

namespace nfqws2::flow {

struct SipKey {
    std::uint64_t k0 = 0, k1 = 0;

    static SipKey random(); // from the system's entropy source
};

// SipHash-C-D; 1-3 for tables, 2-4 is the published reference.
template <int C, int D> std::uint64_t siphash(const SipKey& key, Bytes data) {
    std::uint64_t v0 = key.k0 ^ 0x736f6d6570736575U, v1 = key.k1 ^ 0x646f72616e646f6dU;
    std::uint64_t v2 = key.k0 ^ 0x6c7967656e657261U, v3 = key.k1 ^ 0x7465646279746573U;
    const auto round = [&] {
        v0 += v1;
        v1 = std::rotl(v1, 13) ^ v0;
        v0 = std::rotl(v0, 32);
        v2 += v3;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 += v3;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 += v1;
        v1 = std::rotl(v1, 17) ^ v2;
        v2 = std::rotl(v2, 32);
    };
    const auto absorb = [&](std::uint64_t m) {
        v3 ^= m;
        for (int i = 0; i < C; i++)
            round();
        v0 ^= m;
    };
    const std::uint8_t* p = data.data();
    std::size_t left = data.size();
    for (; left >= 8; left -= 8, p += 8) {
        std::uint64_t m = 0;
        std::memcpy(&m, p, 8);
        if constexpr (std::endian::native == std::endian::big) m = __builtin_bswap64(m);
        absorb(m);
    }
    std::uint64_t last = static_cast<std::uint64_t>(data.size()) << 56;
    for (std::size_t i = 0; i < left; i++)
        last |= static_cast<std::uint64_t>(p[i]) << (8 * i);
    absorb(last);
    v2 ^= 0xff;
    for (int i = 0; i < D; i++)
        round();
    return v0 ^ v1 ^ v2 ^ v3;
}

inline std::uint32_t table_hash(const SipKey& key, Bytes data) {
    return static_cast<std::uint32_t>(siphash<1, 3>(key, data));
}

} // namespace nfqws2::flow
