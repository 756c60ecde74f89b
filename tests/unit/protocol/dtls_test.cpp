#include "nfqws2/protocol/dtls.hpp"

#include "samples.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol::test {
namespace {

TEST(Dtls, HelloOf14Bytes) {
    const Buffer client = hex("16 feff 0000 000000000000 0001 01");
    EXPECT_TRUE(is_dtls_client_hello(client));
    EXPECT_FALSE(is_dtls_server_hello(client));
    EXPECT_FALSE(is_dtls_client_hello(Bytes(client).first(13)));
    EXPECT_TRUE(is_dtls_server_hello(hex("16 fefd 0000 000000000000 0001 02")));
}

TEST(Dtls, Versions) {
    for (const unsigned version : {0xFEFFU, 0xFEFDU, 0xFEFCU, 0x0100U, 0xFEFEU, 0x0303U, 0x0001U}) {
        Buffer data = hex("16 0000 0000 000000000000 0001 01");
        store_be16(data.data() + 1, static_cast<std::uint16_t>(version));
        const bool known =
            version == 0xFEFF || version == 0xFEFD || version == 0xFEFC || version == 0x0100;
        EXPECT_EQ(is_dtls_client_hello(data), known) << version;
    }
}

TEST(Dtls, RecordMustFit) {
    EXPECT_FALSE(is_dtls_client_hello(hex("16 feff 0000 000000000000 0002 01")));
    EXPECT_TRUE(is_dtls_client_hello(hex("16 feff 0000 000000000000 0000 01")));
}

TEST(Dtls, OtherRecordsAndMessages) {
    for (const char* other : {"14", "15", "17", "18"})
        EXPECT_FALSE(
            is_dtls_client_hello(hex(std::string(other) + "feff 0000 000000000000 0001 01")));
    EXPECT_FALSE(is_dtls_client_hello(hex("16 feff 0000 000000000000 0001 03")));
}

} // namespace
} // namespace nfqws2::protocol::test
