// SipHash (Aumasson, Bernstein 2012): the keyed hash of tables whose keys come from the network or
// from names, so that nobody outside can aim many keys at one bucket.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

namespace nfqws2 {

struct SipKey {
    std::uint64_t k0 = 0, k1 = 0;

    static SipKey random();            // from the system's entropy source
    static const SipKey& of_process(); // drawn once
};

struct Hash128 {
    std::uint64_t first = 0, second = 0;
    bool operator==(const Hash128&) const = default;
};

// The state of SipHash-C-D.
template <int C, int D> class SipState {
  public:
    explicit SipState(const SipKey& key)
        : v0_(key.k0 ^ 0x736f6d6570736575U), v1_(key.k1 ^ 0x646f72616e646f6dU),
          v2_(key.k0 ^ 0x6c7967656e657261U), v3_(key.k1 ^ 0x7465646279746573U) {}

    void absorb(Bytes data) {
        const std::uint8_t* p = data.data();
        std::size_t left = data.size();
        for (; left >= 8; left -= 8, p += 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, p, 8);
            if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
            absorb_word(word);
        }
        std::uint64_t last = static_cast<std::uint64_t>(data.size()) << 56;
        for (std::size_t i = 0; i < left; i++)
            last |= static_cast<std::uint64_t>(p[i]) << (8 * i);
        absorb_word(last);
    }
    // The 64-bit hash.
    std::uint64_t finish() { return squeeze(v2_, 0xff); }
    // The 128-bit hash, of a state that was widened before it absorbed anything.
    void widen() { v1_ ^= 0xee; }
    Hash128 finish_wide() {
        const std::uint64_t first = squeeze(v2_, 0xee);
        return {first, squeeze(v1_, 0xdd)};
    }

  private:
    void round() {
        v0_ += v1_;
        v1_ = std::rotl(v1_, 13) ^ v0_;
        v0_ = std::rotl(v0_, 32);
        v2_ += v3_;
        v3_ = std::rotl(v3_, 16) ^ v2_;
        v0_ += v3_;
        v3_ = std::rotl(v3_, 21) ^ v0_;
        v2_ += v1_;
        v1_ = std::rotl(v1_, 17) ^ v2_;
        v2_ = std::rotl(v2_, 32);
    }
    void absorb_word(std::uint64_t word) {
        v3_ ^= word;
        for (int i = 0; i < C; i++)
            round();
        v0_ ^= word;
    }
    std::uint64_t squeeze(std::uint64_t& marked, std::uint64_t mark) {
        marked ^= mark;
        for (int i = 0; i < D; i++)
            round();
        return v0_ ^ v1_ ^ v2_ ^ v3_;
    }

    std::uint64_t v0_, v1_, v2_, v3_;
};

// 1-3 for tables, 2-4 is the published reference.
template <int C, int D> std::uint64_t siphash(const SipKey& key, Bytes data) {
    SipState<C, D> state(key);
    state.absorb(data);
    return state.finish();
}

// Where equal hashes count as equal keys: SipHash-2-4 with 128 bits of output.
inline Hash128 siphash128(const SipKey& key, Bytes data) {
    SipState<2, 4> state(key);
    state.widen();
    state.absorb(data);
    return state.finish_wide();
}

inline std::uint32_t table_hash(const SipKey& key, Bytes data) {
    return static_cast<std::uint32_t>(siphash<1, 3>(key, data));
}

} // namespace nfqws2
