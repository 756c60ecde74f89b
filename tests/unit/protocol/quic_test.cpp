#include "nfqws2/protocol/quic.hpp"

#include "quic_builder.hpp"

#include "nfqws2/protocol/tls.hpp"

#include <algorithm>
#include <gtest/gtest.h>

namespace nfqws2::protocol::test {
namespace {

Buffer hello_message(std::string_view host = "quic.example") {
    return handshake({.session = {}, .extensions = server_name(host)});
}

InitialSpec padded() {
    InitialSpec spec;
    spec.pad_to = 1162;
    return spec;
}

// A packet that is only looked at, never decrypted.
Buffer plain_initial(std::size_t size, std::uint8_t first = 0xC0, std::uint32_t version = 1) {
    Buffer data = {first};
    put16(data, version >> 16);
    put16(data, version & 0xFFFF);
    put(data, hex("08 0102030405060708 00 00"));
    put16(data, 0x4000 | (size - data.size() - 2));
    data.resize(size, 0xEE);
    return data;
}

TEST(QuicInitial, NeedsAHundredAndTwentyEightBytes) {
    EXPECT_TRUE(is_quic_initial(plain_initial(128)));
    EXPECT_FALSE(is_quic_initial(plain_initial(127)));
    EXPECT_FALSE(is_quic_initial({}));
}

TEST(QuicInitial, FirstByteAndVersion) {
    for (const std::uint8_t first : Buffer{0xC0, 0xC3, 0xCF})
        EXPECT_TRUE(is_quic_initial(plain_initial(1200, first)));
    for (const std::uint8_t first : Buffer{0x40, 0x80, 0xD0, 0xE0, 0xF0, 0x00})
        EXPECT_FALSE(is_quic_initial(plain_initial(1200, first))) << unsigned{first};
    for (const std::uint32_t v2 : {quic_version_2, quic_version_2_early}) {
        EXPECT_TRUE(is_quic_initial(plain_initial(1200, 0xD1, v2)));
        EXPECT_FALSE(is_quic_initial(plain_initial(1200, 0xC1, v2)));
    }
    EXPECT_TRUE(is_quic_initial(plain_initial(1200, 0xC0, 0xff00000b)));
    for (const std::uint32_t version : {0U, 2U, 0xff00000aU})
        EXPECT_FALSE(is_quic_initial(plain_initial(1200, 0xC0, version))) << version;
}

TEST(QuicInitial, ConnectionIdLimits) {
    const auto with_ids = [](std::size_t dcid, std::size_t scid) {
        InitialSpec spec = padded();
        spec.dcid = Buffer(dcid, 1);
        spec.scid = Buffer(scid, 2);
        Buffer data = initial_header(spec, 1162);
        data.resize(data.size() + 1162 + 16);
        return data;
    };
    EXPECT_TRUE(is_quic_initial(with_ids(0, 0)));
    EXPECT_TRUE(is_quic_initial(with_ids(20, 20)));
    EXPECT_FALSE(is_quic_initial(with_ids(21, 0)));
    EXPECT_FALSE(is_quic_initial(with_ids(8, 21)));
    EXPECT_TRUE(parse_quic_initial(with_ids(8, 21)));
}

TEST(QuicInitial, LengthMustFitAndMayBeShort) {
    Buffer data = plain_initial(1200);
    data.push_back(0); // something coalesced behind
    EXPECT_TRUE(is_quic_initial(data));
    data.resize(1199);
    EXPECT_FALSE(is_quic_initial(data));
}

TEST(QuicInitial, HugeTokenAndLengthFieldsDoNotWrap) {
    Buffer data = hex("c0 00000001 01 aa 00 ffffffffffffffff");
    data.resize(1200);
    EXPECT_FALSE(is_quic_initial(data));
    data = hex("c0 00000001 01 aa 00 00 ffffffffffffffff");
    data.resize(1200);
    EXPECT_FALSE(is_quic_initial(data));
}

TEST(QuicInitial, HeaderFields) {
    InitialSpec spec = padded();
    spec.scid = hex("aabb");
    spec.token = Buffer(100, 0x77);
    Buffer data = seal_initial(spec, {});
    const std::size_t size = data.size();
    data.resize(size + 5);
    const auto header = parse_quic_initial(data);
    ASSERT_TRUE(header.has_value());
    EXPECT_EQ(header->version, 1U);
    EXPECT_EQ(copy_of(header->dcid), spec.dcid);
    EXPECT_EQ(copy_of(header->scid), spec.scid);
    EXPECT_EQ(copy_of(header->token), spec.token);
    EXPECT_EQ(header->packet_number_offset, 5U + 9 + 3 + 2 + 100 + 2);
    EXPECT_EQ(header->packet_size, size);
    for (std::size_t n = 0; n < size; ++n)
        EXPECT_FALSE(parse_quic_initial(Bytes(data).first(n))) << n;
}

// RFC 9001 appendix A.2 and RFC 9369 appendix A.2: the protected packets as published, and their
// unprotected content as described there.
TEST(QuicDecrypt, PacketsOfTheStandards) {
    for (const char* name : {"quic_v1_rfc9001_A2", "quic_v2_rfc9369_A2"}) {
        const Buffer& packet = sample_payload(name);
        const auto plain = quic_decrypt_initial(packet);
        ASSERT_TRUE(plain.has_value()) << name;
        EXPECT_EQ(plain->size(), 1162U);
        EXPECT_EQ(to_hex(Bytes(*plain).first(26)),
                  "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40b");
        EXPECT_EQ(to_hex(Bytes(*plain).subspan(245, 4)), "00000000");
    }
}

TEST(QuicDecrypt, HeaderProtectionOfTheStandard) {
    // The published packet begins c000000001088394c8f03e5157080000449e7b9aec34; sealing the same
    // content with packet number 2 must give exactly it.
    const Buffer& published = sample_payload("quic_v1_rfc9001_A2");
    const Buffer sealed = seal_initial(InitialSpec{}, *quic_decrypt_initial(published));
    EXPECT_EQ(to_hex(Bytes(sealed).first(22)), "c000000001088394c8f03e5157080000449e7b9aec34");
    EXPECT_EQ(sealed, published);
    const Buffer& second = sample_payload("quic_v2_rfc9369_A2");
    InitialSpec v2;
    v2.version = quic_version_2;
    EXPECT_EQ(seal_initial(v2, *quic_decrypt_initial(second)), second);
}

TEST(QuicDecrypt, ServerAndRetryPacketsOfTheStandardDoNotDecrypt) {
    EXPECT_TRUE(is_quic_initial(sample_payload("quic_v1_rfc9001_A3_server")));
    EXPECT_FALSE(quic_decrypt_initial(sample_payload("quic_v1_rfc9001_A3_server")));
    EXPECT_FALSE(quic_decrypt_initial(sample_payload("quic_rfc9001_A4_retry")));
}

TEST(QuicDecrypt, PacketNumberSizes) {
    for (std::size_t size = 1; size <= 4; ++size) {
        InitialSpec spec = padded();
        spec.number_size = size;
        spec.number = static_cast<std::uint32_t>((std::uint64_t{1} << (8 * size)) - 2);
        const Buffer frames = crypto_frame(0, hello_message());
        const auto plain = quic_decrypt_initial(seal_initial(spec, frames));
        ASSERT_TRUE(plain.has_value()) << size;
        EXPECT_TRUE(std::equal(frames.begin(), frames.end(), plain->begin()));
    }
}

TEST(QuicDecrypt, SmallestPacketHoldsNoFrame) {
    InitialSpec spec; // Length 20 = 4 bytes of packet number and the tag
    const auto plain = quic_decrypt_initial(seal_initial(spec, {}));
    ASSERT_TRUE(plain.has_value());
    EXPECT_TRUE(plain->empty());
    spec.number_size = 3; // Length 19: there is no sample for header protection
    Buffer cut = initial_header(spec, 0);
    cut.resize(cut.size() + 16);
    EXPECT_FALSE(quic_decrypt_initial(cut));
}

TEST(QuicDecrypt, ConnectionIdOfOneToTwentyBytes) {
    InitialSpec spec = padded();
    for (const std::size_t size : {1U, 20U}) {
        spec.dcid = Buffer(size, 9);
        EXPECT_TRUE(quic_decrypt_initial(seal_initial(spec, {})));
    }
    EXPECT_FALSE(quic_decrypt_initial(sample_payload("quic_dcid0")));
}

TEST(QuicDecrypt, HeaderOfAtMost2048Bytes) {
    InitialSpec spec = padded();
    const std::size_t fixed = initial_header(spec, 0).size() + 1; // two bytes of token length
    spec.token = Buffer(2048 - fixed, 1);
    EXPECT_TRUE(quic_decrypt_initial(seal_initial(spec, {})));
    spec.token.push_back(1);
    EXPECT_FALSE(quic_decrypt_initial(seal_initial(spec, {})));
}

TEST(QuicDecrypt, AnyChangedByteFails) {
    Buffer data = seal_initial(padded(), crypto_frame(0, hello_message()));
    ASSERT_TRUE(quic_decrypt_initial(data));
    for (std::size_t i = 0; i < data.size(); i += 7) {
        data[i] ^= 0x20;
        EXPECT_FALSE(quic_decrypt_initial(data)) << i;
        data[i] ^= 0x20;
    }
}

TEST(QuicDecrypt, CoalescedInitialsAreJoined) {
    const Buffer message = hello_message();
    const Buffer first_half(message.begin(), message.begin() + 30);
    const Buffer second_half(message.begin() + 30, message.end());
    InitialSpec spec;
    spec.pad_to = 100;
    Buffer data = seal_initial(spec, crypto_frame(0, first_half));
    spec.number = 3;
    put(data, seal_initial(spec, crypto_frame(30, second_half)));
    const auto plain = quic_decrypt_initial(data);
    ASSERT_TRUE(plain.has_value());
    const auto stream = quic_collect_crypto(*plain);
    ASSERT_TRUE(stream.has_value());
    EXPECT_TRUE(stream->complete);
    EXPECT_EQ(stream->data, message);
}

TEST(QuicDecrypt, CoalescedForeignPacketsAreLeftOut) {
    const Buffer frames = crypto_frame(0, hello_message());
    const Buffer first = seal_initial(padded(), frames);
    const auto alone = quic_decrypt_initial(first);
    ASSERT_TRUE(alone.has_value());

    InitialSpec other_id = padded();
    other_id.dcid = hex("01020304");
    InitialSpec other_version = padded();
    other_version.version = quic_version_2;
    Buffer corrupt = seal_initial(padded(), frames);
    corrupt.back() ^= 1;
    for (const Buffer& behind :
         {seal_initial(other_id, frames), seal_initial(other_version, frames), corrupt,
          seal_initial(padded(), hex("08")), plain_initial(60, 0xE0), Buffer(30, 0)}) {
        Buffer data = first;
        put(data, behind);
        EXPECT_EQ(quic_decrypt_initial(data), alone);
    }
}

TEST(QuicDecrypt, PlaintextIsBounded) {
    InitialSpec spec;
    Buffer data;
    for (std::uint32_t i = 0; i < 12; ++i) {
        spec.number = i;
        spec.pad_to = 4000;
        put(data, seal_initial(spec, {}));
    }
    const auto plain = quic_decrypt_initial(data);
    ASSERT_TRUE(plain.has_value());
    EXPECT_EQ(plain->size(), 16000U);
}

TEST(QuicFrames, WithoutCrypto) {
    EXPECT_TRUE(quic_has_no_crypto({}));
    EXPECT_TRUE(quic_has_no_crypto(hex("000001")));
    EXPECT_TRUE(quic_has_no_crypto(hex("02 05 00 00 01"))); // ACK
    EXPECT_TRUE(quic_has_no_crypto(hex("02 0a 4001 02 01 00 01 03 02 00")));
    EXPECT_TRUE(quic_has_no_crypto(hex("03 05 00 00 01 01 02 03 01"))); // ACK with ECN counts
    EXPECT_TRUE(quic_has_no_crypto(hex("1c 00 06 02 6162")));           // CONNECTION_CLOSE
    EXPECT_FALSE(quic_has_no_crypto(hex("02 05 00 00 01 06 00 00")));
    for (const char* bad : {"02", "0205", "020500", "02050000", "020500ff01", "0205000200 010203",
                            "03050000 010102", "1c0006", "1c000603 6162", "08", "1d0000", "07"})
        EXPECT_FALSE(quic_has_no_crypto(hex(bad))) << bad;
}

std::optional<CryptoStream> collect(const std::vector<Buffer>& frames) {
    Buffer all;
    for (const Buffer& f : frames)
        put(all, f);
    return quic_collect_crypto(all);
}

TEST(QuicCrypto, PiecesInAnyOrder) {
    const auto stream = collect({crypto_frame(3, bytes_of("def")),
                                 {0, 1, 0},
                                 hex("060000"),
                                 crypto_frame(0, bytes_of("abc")),
                                 {0, 0}});
    ASSERT_TRUE(stream.has_value());
    EXPECT_EQ(stream->data, bytes_of("abcdef"));
    EXPECT_TRUE(stream->complete);
}

TEST(QuicCrypto, HolesAreZeroAndIncomplete) {
    const auto stream = collect({crypto_frame(4, bytes_of("x")), crypto_frame(0, bytes_of("ab"))});
    ASSERT_TRUE(stream.has_value());
    EXPECT_EQ(stream->data, hex("61620000 78"));
    EXPECT_FALSE(stream->complete);
    EXPECT_FALSE(collect({crypto_frame(1, bytes_of("a"))})->complete);
}

TEST(QuicCrypto, DuplicatesAndOverlaps) {
    const auto duplicate =
        collect({crypto_frame(0, bytes_of("abc")), crypto_frame(0, bytes_of("xyz"))});
    EXPECT_EQ(duplicate->data, bytes_of("abc"));
    const auto overlap =
        collect({crypto_frame(0, bytes_of("abcd")), crypto_frame(2, bytes_of("xyz"))});
    EXPECT_EQ(overlap->data, bytes_of("abxyz"));
    EXPECT_TRUE(overlap->complete);
    const auto earlier =
        collect({crypto_frame(2, bytes_of("xyz")), crypto_frame(0, bytes_of("abcd"))});
    EXPECT_EQ(earlier->data, bytes_of("abcdz"));
}

TEST(QuicCrypto, AtMost128DistinctFrames) {
    std::vector<Buffer> frames;
    for (std::size_t i = 128; i-- > 0;)
        frames.push_back(crypto_frame(i, {static_cast<std::uint8_t>(i)}));
    for (std::size_t i = 0; i < 300; ++i)
        frames.push_back(crypto_frame(i % 128, {0xFF}));
    const auto stream = collect(frames);
    ASSERT_TRUE(stream.has_value());
    EXPECT_TRUE(stream->complete);
    EXPECT_EQ(stream->data.size(), 128U);
    EXPECT_EQ(stream->data[127], 127);
    frames.push_back(crypto_frame(128, {1}));
    EXPECT_FALSE(collect(frames));
}

TEST(QuicCrypto, EndOfTheStreamIsLimited) {
    EXPECT_TRUE(collect({crypto_frame(16373, {1})}));
    EXPECT_FALSE(collect({crypto_frame(16374, {1})}));
    EXPECT_FALSE(collect({crypto_frame(16373, {1, 2})}));
    EXPECT_FALSE(collect({hex("06 ffffffffffffffff 01 00")}));
}

// Better than the reference: what may stand beside CRYPTO in an Initial (RFC 9000 section 12.4).
TEST(QuicCrypto, AckAndConnectionCloseAreSkipped) {
    const Buffer good = crypto_frame(0, bytes_of("abc"));
    for (const char* other : {"0200000000", "0300000000000000", "1c00000000"}) {
        const auto stream = collect({hex(other), good, hex(other)});
        ASSERT_TRUE(stream.has_value()) << other;
        EXPECT_EQ(stream->data, bytes_of("abc")) << other;
        EXPECT_FALSE(collect({hex(other)})) << other;
    }
}

TEST(QuicCrypto, OnlyTheCryptoFramesAreKept) {
    Buffer plain = hex("0001 0200000000");
    put(plain, crypto_frame(5, bytes_of("defg")));
    plain.resize(plain.size() + 500);
    put(plain, crypto_frame(0, bytes_of("hello")));
    const auto kept = quic_crypto_only(plain);
    ASSERT_TRUE(kept.has_value());
    EXPECT_LT(kept->size(), 40U);
    EXPECT_EQ(quic_collect_crypto(*kept)->data, quic_collect_crypto(plain)->data);
    EXPECT_TRUE(quic_crypto_only(hex("000001"))->empty());
    EXPECT_FALSE(quic_crypto_only(hex("08")));
}

TEST(QuicCrypto, OtherFramesAndMalformedOnesFail) {
    const Buffer good = crypto_frame(0, bytes_of("abc"));
    for (const char* other : {"08", "1d0000", "ff"})
        EXPECT_FALSE(collect({good, hex(other)})) << other;
    for (const char* bad : {"06", "0600", "064000", "06000161", "06000461 62", "0640"})
        EXPECT_EQ(collect({good, hex(bad)}).has_value(), bad == std::string_view("06000161"))
            << bad;
    EXPECT_FALSE(quic_collect_crypto({}));
    EXPECT_FALSE(quic_collect_crypto(hex("00000100")));
}

TEST(QuicCrypto, EmptyFrameIsAStreamOfNothing) {
    const auto stream = collect({hex("060000")});
    ASSERT_TRUE(stream.has_value());
    EXPECT_TRUE(stream->complete);
    EXPECT_TRUE(stream->data.empty());
    EXPECT_FALSE(is_client_hello_handshake(stream->data));
}

} // namespace
} // namespace nfqws2::protocol::test
