#include "nfqws2/packet/header_walk.hpp"
#include "packet_testing.hpp"

#include <gtest/gtest.h>

namespace nfqws2::packet {
namespace {

// "kind:data;kind:data;"
std::string walked_options(std::string_view text) {
    const Buffer bytes = hex(text);
    TcpOptionWalk walk(bytes);
    TcpOption option;
    std::string result;
    while (walk.next(option))
        result += std::to_string(option.kind) + ":" + to_hex(option.data) + ";";
    return result;
}

TEST(TcpOptionWalk, OrdinarySyn) {
    EXPECT_EQ(walked_options("020405B40402080A000000010000000001030307"),
              "2:05b4;4:;8:0000000100000000;1:;3:07;");
}

TEST(TcpOptionWalk, EndStopsTheListAndIsNoOption) {
    EXPECT_EQ(walked_options("01 00 020405B4"), "1:;");
    EXPECT_EQ(walked_options("00000000"), "");
}

TEST(TcpOptionWalk, MalformedLengthStopsSilently) {
    EXPECT_EQ(walked_options("01 0800FF"), "1:;");
    EXPECT_EQ(walked_options("01 0801FF"), "1:;");
    EXPECT_EQ(walked_options("01 0804FF"), "1:;");
    EXPECT_EQ(walked_options("01 08"), "1:;");
    EXPECT_EQ(walked_options(""), "");
}

// "type>next:data;"
std::string walked_extensions(const Buffer& packet) {
    ExtensionWalk walk(packet);
    ExtensionHeader header;
    std::string result;
    while (walk.next(header))
        result += std::to_string(header.type) + ">" + std::to_string(header.next) + ":" +
                  to_hex(header.data) + ";";
    return result;
}

Buffer packet6(std::uint16_t plen, std::uint8_t next, std::string_view rest) {
    Buffer p = hex("6000000000000040" + addresses6 + std::string(rest));
    store_be16(p.data() + 4, plen);
    p[6] = next;
    return p;
}

TEST(ExtensionWalk, EveryTypeHasItsLength) {
    for (const std::uint8_t type : std::initializer_list<std::uint8_t>{0, 43, 60, 135, 139, 140})
        EXPECT_EQ(walked_extensions(packet6(16, type, "3B01010203040506 0708090A0B0C0D0E")),
                  std::to_string(type) + ">59:0102030405060708090a0b0c0d0e;");
    EXPECT_EQ(walked_extensions(packet6(8, 44, "3BFF000000000009")), "44>59:000000000009;");
    EXPECT_EQ(walked_extensions(packet6(12, 51, "3B01 01010101010101010101")),
              "51>59:01010101010101010101;");
}

TEST(ExtensionWalk, StopsAtTheUpperLayer) {
    const Buffer p = packet6(10, 0, "0600010400000000 4141");
    ExtensionWalk walk(p);
    ExtensionHeader header;
    ASSERT_TRUE(walk.next(header));
    EXPECT_EQ(header.offset, 40U);
    EXPECT_FALSE(walk.next(header));
    EXPECT_EQ(walk.end(), 48U);
    EXPECT_EQ(walk.last_type(), 6);
    EXPECT_TRUE(walk.reached_upper());
    EXPECT_FALSE(walk.at_end());
}

TEST(ExtensionWalk, StopsAtFragmentsWithAnOffset) {
    EXPECT_EQ(walked_extensions(packet6(16, 44, "3C00000800000009 0600010400000000")),
              "44>60:000800000009;");
    EXPECT_EQ(walked_extensions(packet6(16, 44, "3C00000100000009 0600010400000000")),
              "44>60:000100000009;60>6:010400000000;");
}

TEST(ExtensionWalk, IsLimitedByThePayloadLengthAndByTheData) {
    const char* two = "3C00010400000000 3C00010400000000";
    EXPECT_EQ(walked_extensions(packet6(8, 60, two)), "60>60:010400000000;");
    EXPECT_EQ(walked_extensions(packet6(15, 60, two)), "60>60:010400000000;");
    EXPECT_EQ(walked_extensions(packet6(900, 60, two)), "60>60:010400000000;60>60:010400000000;");
    EXPECT_EQ(walked_extensions(packet6(8, 44, "3C00010400")), "");
    EXPECT_EQ(walked_extensions(packet6(0, 60, two)), "");
}

} // namespace
} // namespace nfqws2::packet
