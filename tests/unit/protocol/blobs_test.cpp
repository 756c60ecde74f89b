#include "nfqws2/protocol/blobs.hpp"

#include "samples.hpp"

#include <gtest/gtest.h>
#include <mbedtls/md.h>

namespace nfqws2::protocol::test {
namespace {

std::string sha256(Bytes data) {
    std::array<std::uint8_t, 32> digest{};
    EXPECT_EQ(mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), data.data(), data.size(),
                         digest.data()),
              0);
    return to_hex(digest);
}

TEST(Blobs, SizesAndHashes) {
    EXPECT_EQ(fake_default_tls().size(), 680U);
    EXPECT_EQ(sha256(fake_default_tls()),
              "11d33b3d926b1702a56a0757672e39ba6ec1ba113a7f8063b743d4c900bbc666");
    EXPECT_EQ(fake_default_http().size(), 263U);
    EXPECT_EQ(sha256(fake_default_http()),
              "91c4596f679ce501ad59cf81f3c9821e5d9592c927236faf0893a78dbafbf963");
    EXPECT_EQ(fake_default_quic().size(), 620U);
    EXPECT_EQ(sha256(fake_default_quic()),
              "6e996949e69b2e99dba41b83660f43268527b8b4434f1ab33d61b4cfa1c89d1b");
}

} // namespace
} // namespace nfqws2::protocol::test
