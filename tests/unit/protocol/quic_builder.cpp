#include "quic_builder.hpp"

#include <array>
#include <mbedtls/aes.h>
#include <mbedtls/gcm.h>

namespace nfqws2::protocol::test {

void put_varint(Buffer& out, std::size_t value) {
    if (value < 64) {
        out.push_back(static_cast<std::uint8_t>(value));
    } else if (value < 16384) {
        put16(out, value | 0x4000);
    } else {
        put16(out, 0x8000 | value >> 16);
        put16(out, value & 0xFFFF);
    }
}

Buffer crypto_frame(std::size_t offset, const Buffer& data) {
    Buffer out = {6};
    put_varint(out, offset);
    put_varint(out, data.size());
    put(out, data);
    return out;
}

Buffer initial_header(const InitialSpec& spec, std::size_t plain_size) {
    Buffer header = {static_cast<std::uint8_t>((is_quic_v2(spec.version) ? 0xD0 : 0xC0) |
                                               (spec.number_size - 1))};
    put16(header, spec.version >> 16);
    put16(header, spec.version & 0xFFFF);
    header.push_back(static_cast<std::uint8_t>(spec.dcid.size()));
    put(header, spec.dcid);
    header.push_back(static_cast<std::uint8_t>(spec.scid.size()));
    put(header, spec.scid);
    put_varint(header, spec.token.size());
    put(header, spec.token);
    put16(header, 0x4000 | (spec.number_size + plain_size + 16));
    for (std::size_t i = spec.number_size; i-- > 0;)
        header.push_back(static_cast<std::uint8_t>(spec.number >> (8 * i)));
    return header;
}

Buffer seal_initial(const InitialSpec& spec, Buffer plain) {
    if (plain.size() < spec.pad_to) plain.resize(spec.pad_to, 0);
    const auto keys = derive_quic_initial_keys(spec.version, spec.dcid);
    if (!keys) std::abort();
    Buffer packet = initial_header(spec, plain.size());
    const std::size_t header_size = packet.size(), number_at = header_size - spec.number_size;
    auto nonce = keys->iv;
    for (std::size_t i = 0; i < 4; ++i)
        nonce[11 - i] ^= static_cast<std::uint8_t>(spec.number >> (8 * i));

    packet.resize(header_size + plain.size() + 16);
    mbedtls_gcm_context gcm;
    mbedtls_gcm_init(&gcm);
    mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, keys->key.data(), 128);
    mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, plain.size(), nonce.data(), nonce.size(),
                              packet.data(), header_size, plain.data(), packet.data() + header_size,
                              16, packet.data() + header_size + plain.size());
    mbedtls_gcm_free(&gcm);

    std::array<std::uint8_t, 16> mask{};
    mbedtls_aes_context aes;
    mbedtls_aes_init(&aes);
    mbedtls_aes_setkey_enc(&aes, keys->hp.data(), 128);
    mbedtls_aes_crypt_ecb(&aes, MBEDTLS_AES_ENCRYPT, packet.data() + number_at + 4, mask.data());
    mbedtls_aes_free(&aes);
    packet[0] ^= static_cast<std::uint8_t>(mask[0] & 0x0F);
    for (std::size_t i = 0; i < spec.number_size; ++i)
        packet[number_at + i] ^= mask[1 + i];
    return packet;
}

} // namespace nfqws2::protocol::test
