#include "protocol/quic_keys.hpp"

#include "samples.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol::test {
namespace {

struct KeyRow {
    std::uint32_t version;
    const char* initial_secret;
    const char* client_secret;
    const char* key;
    const char* iv;
    const char* hp;
};

// For the connection id 8394c8f03e515708. The rows of versions 1 and 2 are those of RFC 9001
// appendix A.1 and RFC 9369 appendix A.1.
const KeyRow key_rows[] = {
    {quic_version_1, "7db5df06e7a69e432496adedb00851923595221596ae2ae9fb8115c1e9ed0a44",
     "c00cf151ca5be075ed0ebfb5c80323c42d6b7db67881289af4008f1f6c357aea",
     "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c",
     "9f50449e04a0e810283a1e9933adedd2"},
    {quic_version_2, "2062e8b3cd8d52092614b8071d0aa1fb7c2e3ac193f78b280e72d8f5751f6aba",
     "14ec9d6eb9fd7af83bf5a668bc17a7e283766aade7ecd0891f70f9ff7f4bf47b",
     "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f",
     "45b95e15235d6f45a6b19cbcb0294ba9"},
    {0xff000063, "2062e8b3cd8d52092614b8071d0aa1fb7c2e3ac193f78b280e72d8f5751f6aba",
     "14ec9d6eb9fd7af83bf5a668bc17a7e283766aade7ecd0891f70f9ff7f4bf47b",
     "5450cf9655240c31e52af359da73e6bd", "a9294b93d41022ce1c187099",
     "efd09e55190985720b434738792d5256"},
    {0xff000020, "1e7e7764529715b1e0ddc8e9753c61576769605187793ed366f8bbf8c9e986eb",
     "0088119288f1d866733ceeed15ff9d50902cf82952eee27e9d4d4918ea371d87",
     "175257a31eb09dea9366d8bb79ad80ba", "6b26114b9cba2b63a9e8dd4f",
     "9ddd12c994c0698b89374a9c077a3077"},
    {0xff00001c, "524e374c6da8cf8b496f4bcb696783507aafee6198b202b4bc823ebf7514a423",
     "fda3953aecc040e48b34e27ef87de3a6098ecf0e38b7e032c5c57bcbd5975b84",
     "af7fd7efebd21878ff66811248983694", "8681359410a70bb9c92f0420",
     "a980b8b4fb7d9fbc13e814c23164253d"},
    {0xff000016, "985b345492ea0b2800553589353725ce679ffd4cfc5d3aea970b52ee38ebcab5",
     "7712ead935b044cb18e993a6f7a8c71119d2439ffdd3b6151ad7f9d9e77e2fb9",
     "07863d9c083786bc86766ce0d02bf93f", "fb33da41a8f297d482df670e",
     "48dbcf44e335508f7f23fb2c3790a37c"},
    {0x51303530, "f2a879e30f9103cfc5b669cc5d22a7433396f56bc2f2733907ca15791beee512",
     "9c7b7b82f02ff139526af4933acf97f4740bc4fec7b3cbb75b9d835c24c91a96",
     "348cb426373281cfaec63f5b609350e7", "4b9cf5c4a378544aed414625",
     "609d47aa6b7fab4705068781528143f7"},
    {0x54303530, "1a3b54e27a5a4fdc66b9f74f1ca987f54a3b1d765917d12350bf8addceb2f546",
     "b745345ec65af29545427bdfc3eb24291d67b9597f7df52e9c1fdb94b33ef513",
     "80ab8e0313d2c851aaff5405824a916a", "aedd2abe20b9eff2116e4429",
     "d3a731204b1c81e9644f91bd062633a9"},
    {0x54303531, "9871397fb5747ca96eae83d6a500118e21b2ccfc8f685bf03da85959eaf77e34",
     "7949613b1294da901b3e284fd0800ab300a4581d0ec861e7b0c7fde2bbe74916",
     "e66b805440a16d39f1889b2726d1cc5c", "efdd37eda34f2f7080bb140c",
     "34ebf45dc367d3502a9fe09cfd3fd9f6"},
};

TEST(QuicKeys, DerivedValues) {
    const Buffer dcid = hex("8394c8f03e515708");
    for (const KeyRow& row : key_rows) {
        const auto keys = derive_quic_initial_keys(row.version, dcid);
        ASSERT_TRUE(keys.has_value());
        EXPECT_EQ(to_hex(keys->initial_secret), row.initial_secret) << row.version;
        EXPECT_EQ(to_hex(keys->client_secret), row.client_secret) << row.version;
        EXPECT_EQ(to_hex(keys->key), row.key) << row.version;
        EXPECT_EQ(to_hex(keys->iv), row.iv) << row.version;
        EXPECT_EQ(to_hex(keys->hp), row.hp) << row.version;
    }
}

TEST(QuicKeys, EarlyVersionTwoSharesTheKeysOfVersionTwo) {
    const Buffer dcid = hex("8394c8f03e515708");
    EXPECT_EQ(derive_quic_initial_keys(quic_version_2_early, dcid)->key,
              derive_quic_initial_keys(quic_version_2, dcid)->key);
}

TEST(QuicKeys, ConnectionIdSize) {
    EXPECT_FALSE(derive_quic_initial_keys(quic_version_1, {}));
    EXPECT_TRUE(derive_quic_initial_keys(quic_version_1, Buffer(1, 7)));
    EXPECT_TRUE(derive_quic_initial_keys(quic_version_1, Buffer(20, 7)));
    EXPECT_FALSE(derive_quic_initial_keys(quic_version_1, Buffer(21, 7)));
}

TEST(QuicKeys, DraftNumbers) {
    const std::pair<std::uint32_t, unsigned> rows[] = {
        {0xff000000, 0},  {0xff00000a, 10}, {0xff00000b, 11}, {0xff0000ff, 255}, {0xfaceb001, 22},
        {0xfaceb002, 27}, {0xfaceb00e, 27}, {0x51303530, 27}, {0x54303530, 27},  {0x54303531, 27},
        {0x0a0a0a0a, 29}, {0x1a2a3a4a, 29}, {0x00000001, 34}, {0x6b3343cf, 100}, {0x709a50c4, 100},
        {0x00000000, 0},  {0x00000002, 0},  {0xfaceb003, 0},  {0xff000100, 0},
    };
    for (const auto& [version, draft] : rows)
        EXPECT_EQ(quic_draft_number(version), draft) << std::hex << version;
}

} // namespace
} // namespace nfqws2::protocol::test
