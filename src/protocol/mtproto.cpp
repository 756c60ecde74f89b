#include "nfqws2/protocol/mtproto.hpp"

#include <mbedtls/aes.h>

#include <algorithm>
#include <array>

namespace nfqws2::protocol {

namespace {

constexpr std::size_t key_at = 8, counter_at = 40, tag_at = 56, obfuscated_header = 64;
constexpr std::uint8_t abridged = 0xEF; // four times

using Block = std::array<std::uint8_t, 16>;

// The tag lies in the fourth block of the CTR key stream.
Block fourth_counter(Bytes first) {
    Block counter{};
    std::ranges::copy(first, counter.begin());
    unsigned carry = 3;
    for (std::size_t i = counter.size(); i-- > 0 && carry != 0;) {
        carry += counter[i];
        counter[i] = static_cast<std::uint8_t>(carry);
        carry >>= 8;
    }
    return counter;
}

bool encrypt_block(Bytes key, const Block& in, Block& out) {
    mbedtls_aes_context context;
    mbedtls_aes_init(&context);
    const bool ok =
        mbedtls_aes_setkey_enc(&context, key.data(), 256) == 0 &&
        mbedtls_aes_crypt_ecb(&context, MBEDTLS_AES_ENCRYPT, in.data(), out.data()) == 0;
    mbedtls_aes_free(&context);
    return ok;
}

} // namespace

bool is_mtproto_initial(Bytes data) {
    if (data.size() < obfuscated_header) return false;
    Block key_stream{};
    if (!encrypt_block(data.subspan(key_at, 32), fourth_counter(data.subspan(counter_at, 16)),
                       key_stream))
        return false;
    for (std::size_t i = 0; i < 4; ++i) {
        if ((data[tag_at + i] ^ key_stream[8 + i]) != abridged) return false;
    }
    return true;
}

} // namespace nfqws2::protocol
