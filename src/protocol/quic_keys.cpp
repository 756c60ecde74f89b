#include "quic_keys.hpp"

#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>

#include <algorithm>
#include <string_view>

namespace nfqws2::protocol {

namespace {

using Salt = std::array<std::uint8_t, 20>;

constexpr std::uint32_t version_q050 = 0x51303530, version_t050 = 0x54303530,
                        version_t051 = 0x54303531;

constexpr Salt salt_q050 = {0x50, 0x45, 0x74, 0xef, 0xd0, 0x66, 0xfe, 0x2f, 0x9d, 0x94,
                            0x5c, 0xfc, 0xdb, 0xd3, 0xa7, 0xf0, 0xd3, 0xb5, 0x6b, 0x45};
constexpr Salt salt_t050 = {0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80,
                            0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60, 0x48, 0x83, 0x10};
constexpr Salt salt_t051 = {0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50,
                            0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda, 0x6e, 0x03, 0x3d};
constexpr Salt salt_draft_22 = {0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a,
                                0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64, 0x4a};
constexpr Salt salt_draft_28 = {0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7,
                                0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5, 0x02};
constexpr Salt salt_draft_32 = {0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97,
                                0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8, 0x99};
constexpr Salt salt_version_1 = {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
                                 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a};
constexpr Salt salt_version_2 = {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
                                 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9};

const Salt& salt_of(std::uint32_t version) {
    switch (version) {
    case version_q050:
        return salt_q050;
    case version_t050:
        return salt_t050;
    case version_t051:
        return salt_t051;
    default:
        break;
    }
    const unsigned draft = quic_draft_number(version);
    if (draft <= 22) return salt_draft_22;
    if (draft <= 28) return salt_draft_28;
    if (draft <= 32) return salt_draft_32;
    if (draft <= 34) return salt_version_1;
    return salt_version_2;
}

// HKDF-Expand-Label of TLS 1.3 with an empty context.
bool expand_label(const mbedtls_md_info_t* md, Bytes secret, std::string_view label, MutBytes out) {
    static constexpr std::string_view prefix = "tls13 ";
    std::array<std::uint8_t, 32> info{};
    if (4 + prefix.size() + label.size() > info.size()) return false;
    store_be16(info.data(), static_cast<std::uint16_t>(out.size()));
    info[2] = static_cast<std::uint8_t>(prefix.size() + label.size());
    auto end = std::ranges::copy(prefix, info.begin() + 3).out;
    end = std::ranges::copy(label, end).out;
    *end++ = 0;
    return mbedtls_hkdf_expand(md, secret.data(), secret.size(), info.data(),
                               static_cast<std::size_t>(end - info.begin()), out.data(),
                               out.size()) == 0;
}

} // namespace

unsigned quic_draft_number(std::uint32_t version) {
    if (version >> 8 == 0xff0000) return version & 0xff;
    switch (version) {
    case 0xfaceb001:
        return 22;
    case 0xfaceb002:
    case 0xfaceb00e:
    case version_q050:
    case version_t050:
    case version_t051:
        return 27;
    case quic_version_1:
        return 34;
    case quic_version_2:
    case quic_version_2_early:
        return 100;
    default: // versions reserved to exercise version negotiation
        return (version & 0x0f0f0f0f) == 0x0a0a0a0a ? 29 : 0;
    }
}

std::optional<QuicInitialKeys> derive_quic_initial_keys(std::uint32_t version, Bytes dcid) {
    if (dcid.empty() || dcid.size() > 20) return std::nullopt;
    const mbedtls_md_info_t* md = mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
    const Salt& salt = salt_of(version);
    const bool v2 = is_quic_v2(version);
    QuicInitialKeys keys;
    if (mbedtls_hkdf_extract(md, salt.data(), salt.size(), dcid.data(), dcid.size(),
                             keys.initial_secret.data()) != 0 ||
        !expand_label(md, keys.initial_secret, "client in", keys.client_secret) ||
        !expand_label(md, keys.client_secret, v2 ? "quicv2 key" : "quic key", keys.key) ||
        !expand_label(md, keys.client_secret, v2 ? "quicv2 iv" : "quic iv", keys.iv) ||
        !expand_label(md, keys.client_secret, v2 ? "quicv2 hp" : "quic hp", keys.hp))
        return std::nullopt;
    return keys;
}

} // namespace nfqws2::protocol
