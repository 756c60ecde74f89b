// Hashes and ciphers (docs/contracts/native-functions.md#byte-strings-and-cryptography). The mbed
// TLS contexts are freed before anything that may raise a Lua error.
#include "api/arguments.hpp"
#include "api/functions.hpp"

#include <mbedtls/aes.h>
#include <mbedtls/gcm.h>
#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>

namespace nfqws2::lua {

namespace {

using ByteOperation = std::uint8_t (*)(std::uint8_t, std::uint8_t);

int bytewise(lua_State* L, const char* name, ByteOperation operation) {
    check_count(L, name, 2);
    const Bytes a = check_string(L, 1), b = check_string(L, 2);
    if (a.size() != b.size()) return luaL_error(L, "string lengths must be the same\n");
    const MutBytes out = push_memory(L, static_cast<std::int64_t>(a.size()));
    for (std::size_t i = 0; i < out.size(); i++)
        out[i] = operation(a[i], b[i]);
    push(L, Bytes(out));
    return 1;
}

int bxor(lua_State* L) {
    return bytewise(
        L, "bxor", [](std::uint8_t a, std::uint8_t b) { return static_cast<std::uint8_t>(a ^ b); });
}

int bor(lua_State* L) {
    return bytewise(
        L, "bor", [](std::uint8_t a, std::uint8_t b) { return static_cast<std::uint8_t>(a | b); });
}

int band(lua_State* L) {
    return bytewise(
        L, "band", [](std::uint8_t a, std::uint8_t b) { return static_cast<std::uint8_t>(a & b); });
}

struct HashType {
    mbedtls_md_type_t id;
    std::size_t size;
};

HashType check_hash_type(lua_State* L, int index) {
    const Bytes type = check_text(L, index);
    if (as_text(type) == "sha256") return {MBEDTLS_MD_SHA256, 32};
    if (as_text(type) != "sha224")
        luaL_error(L, "unsupported hash type %s", reinterpret_cast<const char*>(type.data()));
    return {MBEDTLS_MD_SHA224, 28};
}

int hash(lua_State* L) {
    check_count(L, "hash", 2);
    const HashType type = check_hash_type(L, 1);
    const Bytes data = check_string(L, 2);
    std::uint8_t digest[32];
    const auto* info = mbedtls_md_info_from_type(type.id);
    if (info == nullptr || mbedtls_md(info, data.data(), data.size(), digest) != 0)
        lua_pushnil(L);
    else
        push(L, Bytes(digest, type.size));
    return 1;
}

Bytes check_key(lua_State* L, const char* name, int index) {
    const Bytes key = check_string(L, index);
    if (key.size() != 16 && key.size() != 24 && key.size() != 32)
        luaL_error(L, "%s: wrong key length %d. should be 16,24,32.", name,
                   static_cast<int>(key.size()));
    return key;
}

Bytes check_block(lua_State* L, const char* name, const char* what, int index) {
    const Bytes block = check_string(L, index);
    if (block.size() != 16)
        luaL_error(L, "%s: wrong %s length %d. should be 16.", name, what,
                   static_cast<int>(block.size()));
    return block;
}

unsigned bits(Bytes key) {
    return static_cast<unsigned>(key.size() * 8);
}

bool aes_block(bool encrypt, Bytes key, Bytes in, std::uint8_t* out) {
    mbedtls_aes_context aes;
    mbedtls_aes_init(&aes);
    int error = encrypt ? mbedtls_aes_setkey_enc(&aes, key.data(), bits(key))
                        : mbedtls_aes_setkey_dec(&aes, key.data(), bits(key));
    if (error == 0)
        error = mbedtls_aes_crypt_ecb(&aes, encrypt ? MBEDTLS_AES_ENCRYPT : MBEDTLS_AES_DECRYPT,
                                      in.data(), out);
    mbedtls_aes_free(&aes);
    return error == 0;
}

int aes(lua_State* L) {
    check_count(L, "aes", 3);
    const bool encrypt = lua_toboolean(L, 1);
    const Bytes key = check_key(L, "aes", 2), in = check_block(L, "aes", "data", 3);
    std::uint8_t out[16];
    if (aes_block(encrypt, key, in, out))
        push(L, Bytes(out));
    else
        lua_pushnil(L);
    return 1;
}

// The tag is always computed over the cipher text and compared with nothing.
bool gcm(bool encrypt, Bytes key, Bytes iv, Bytes aad, Bytes in, MutBytes out, MutBytes tag) {
    mbedtls_gcm_context context;
    mbedtls_gcm_init(&context);
    int error = mbedtls_gcm_setkey(&context, MBEDTLS_CIPHER_ID_AES, key.data(), bits(key));
    if (error == 0)
        error = mbedtls_gcm_crypt_and_tag(
            &context, encrypt ? MBEDTLS_GCM_ENCRYPT : MBEDTLS_GCM_DECRYPT, in.size(), iv.data(),
            iv.size(), aad.data(), aad.size(), in.data(), out.data(), tag.size(), tag.data());
    mbedtls_gcm_free(&context);
    return error == 0;
}

int aes_gcm(lua_State* L) {
    check_count(L, "aes_gcm", 4, 5);
    const bool encrypt = lua_toboolean(L, 1);
    const Bytes key = check_key(L, "aes_gcm", 2);
    const Bytes iv = check_string(L, 3), in = check_string(L, 4);
    const Bytes aad = lua_isnoneornil(L, 5) ? Bytes{} : check_string(L, 5);
    if (iv.empty()) return luaL_error(L, "aes_gcm: zero iv length");
    const MutBytes out = push_memory(L, static_cast<std::int64_t>(in.size()));
    std::uint8_t tag[16];
    if (gcm(encrypt, key, iv, aad, in, out, tag)) {
        push(L, Bytes(out));
        push(L, Bytes(tag));
    } else {
        lua_pushnil(L);
        lua_pushnil(L);
    }
    return 2;
}

bool ctr(Bytes key, Bytes iv, Bytes in, MutBytes out) {
    mbedtls_aes_context aes;
    mbedtls_aes_init(&aes);
    int error = mbedtls_aes_setkey_enc(&aes, key.data(), bits(key));
    if (error == 0) {
        std::uint8_t counter[16], stream[16];
        std::memcpy(counter, iv.data(), sizeof counter);
        std::size_t used = 0;
        error =
            mbedtls_aes_crypt_ctr(&aes, in.size(), &used, counter, stream, in.data(), out.data());
    }
    mbedtls_aes_free(&aes);
    return error == 0;
}

int aes_ctr(lua_State* L) {
    check_count(L, "aes_ctr", 3);
    const Bytes key = check_key(L, "aes_ctr", 1), iv = check_block(L, "aes_ctr", "iv", 2);
    const Bytes in = check_text(L, 3);
    const MutBytes out = push_memory(L, static_cast<std::int64_t>(in.size()));
    if (ctr(key, iv, in, out))
        push(L, Bytes(out));
    else
        lua_pushnil(L);
    return 1;
}

int hkdf(lua_State* L) {
    check_count(L, "hkdf", 5);
    const HashType type = check_hash_type(L, 1);
    const Bytes salt = optional_text(L, 2), key = optional_text(L, 3), info = optional_text(L, 4);
    const std::int64_t length = check_int(L, 5);
    if (length < 0) return luaL_error(L, "hkdf: invalid arg");
    std::uint8_t out[255 * 32];
    const auto size = static_cast<std::size_t>(length);
    const bool possible =
        length != 0 && static_cast<std::uint64_t>(length) <= 255 * type.size &&
        mbedtls_hkdf(mbedtls_md_info_from_type(type.id), salt.data(), salt.size(), key.data(),
                     key.size(), info.data(), info.size(), out, size) == 0;
    if (possible)
        push(L, Bytes(out, size));
    else
        lua_pushnil(L);
    return 1;
}

} // namespace

void register_crypto_api(State& state) {
    static constexpr NativeFunction functions[] = {
        {"bxor", bxor}, {"bor", bor},         {"band", band},       {"hash", hash},
        {"aes", aes},   {"aes_gcm", aes_gcm}, {"aes_ctr", aes_ctr}, {"hkdf", hkdf},
    };
    register_functions(state, functions);
}

} // namespace nfqws2::lua
