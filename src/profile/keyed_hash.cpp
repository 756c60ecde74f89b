#include "nfqws2/profile/keyed_hash.hpp"

#include "nfqws2/base/random.hpp"

#include <array>
#include <bit>
#include <cstddef>

namespace nfqws2::profile {

namespace {

std::uint64_t load_le64(const std::uint8_t* p, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i)
        value |= static_cast<std::uint64_t>(p[i]) << (8 * i);
    return value;
}

struct State {
    std::uint64_t v0, v1, v2, v3;

    void round() {
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
    }
    void absorb(std::uint64_t word) {
        v3 ^= word;
        round();
        round();
        v0 ^= word;
    }
    std::uint64_t squeeze() {
        for (int i = 0; i < 4; ++i)
            round();
        return v0 ^ v1 ^ v2 ^ v3;
    }
};

} // namespace

Hash128 siphash128(Bytes data, const HashKey& key) {
    State s{key.k0 ^ 0x736f6d6570736575, key.k1 ^ 0x646f72616e646f6d ^ 0xee,
            key.k0 ^ 0x6c7967656e657261, key.k1 ^ 0x7465646279746573};
    const std::uint8_t* p = data.data();
    std::size_t left = data.size();
    for (; left >= 8; left -= 8, p += 8)
        s.absorb(load_le64(p, 8));
    s.absorb(load_le64(p, left) | static_cast<std::uint64_t>(data.size()) << 56);
    s.v2 ^= 0xee;
    const std::uint64_t first = s.squeeze();
    s.v1 ^= 0xdd;
    return {first, s.squeeze()};
}

const HashKey& process_hash_key() {
    static const HashKey key = [] {
        const auto random = make_secure_random();
        std::array<std::uint8_t, 16> bytes{};
        if (!random->fill_secure(bytes)) random->fill(bytes);
        return HashKey{load_be64(bytes.data()), load_be64(bytes.data() + 8)};
    }();
    return key;
}

} // namespace nfqws2::profile
