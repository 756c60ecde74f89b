#include "capture/partial_checksum.hpp"

#include "nfqws2/packet/checksum.hpp"
#include "nfqws2/packet/dissect.hpp"
#include "packets.hpp"

#include <gtest/gtest.h>

namespace nfqws2::capture {
namespace {

using test::Buffer;
using test::unhex;

// As the kernel leaves them: 10.77.1.2 to 10.77.2.2, fd77:1::2 to fd77:2::2, port 5000.
const Buffer tcp4 =
    unhex("4500002c da870000 4006 0000 0a4d0102 0a4d0202 c5f01388 cc6d832f bec6a2cd "
          "5018003f 0000 0000 61626364");
const Buffer udp6 = unhex("60000000 000b 11 40 fd770001000000000000000000000002 "
                          "fd770002000000000000000000000002 c5f01388 000b 0000 616263");

struct Place {
    packet::L4Checksum kind;
    std::size_t header, size, field;
};
constexpr Place in_tcp4{packet::L4Checksum::tcp, 20, 20, 36};
constexpr Place in_udp6{packet::L4Checksum::udp, 40, 8, 46};

Buffer prepared(Buffer packet, const Place& place) {
    const Bytes ip = Bytes(packet).first(place.header);
    store_be16(&packet[place.field],
               packet::pseudo_header_sum(place.kind, ip, packet.size() - place.header));
    return packet;
}

// Sum over pseudo header, header and payload: 0xFFFF if the checksum is right.
std::uint16_t sum(Buffer packet, const Place& place) {
    const Bytes ip = Bytes(packet).first(place.header);
    const std::uint16_t pseudo =
        packet::pseudo_header_sum(place.kind, ip, packet.size() - place.header);
    Buffer all(2);
    store_be16(all.data(), pseudo);
    all.insert(all.end(), packet.begin() + static_cast<std::ptrdiff_t>(place.header), packet.end());
    return static_cast<std::uint16_t>(~test::sum16(all));
}

TEST(PartialChecksum, IsCompleted) {
    Buffer four = prepared(tcp4, in_tcp4), six = prepared(udp6, in_udp6);
    EXPECT_NE(sum(four, in_tcp4), 0xFFFF);
    EXPECT_TRUE(complete_checksum(four));
    EXPECT_EQ(sum(four, in_tcp4), 0xFFFF);
    EXPECT_TRUE(complete_checksum(six));
    EXPECT_EQ(sum(six, in_udp6), 0xFFFF);
}

TEST(PartialChecksum, OfAPacketInsideIsNotOurs) {
    for (const unsigned other : {0U, 0x1234U}) {
        Buffer packet = udp6;
        store_be16(&packet[in_udp6.field], static_cast<std::uint16_t>(other));
        const Buffer before = packet;
        EXPECT_FALSE(complete_checksum(packet));
        EXPECT_EQ(packet, before);
    }
}

TEST(PartialChecksum, WhatIsNotTcpOrUdp) {
    for (const char* text : {"", "45", "4500001401020000402f000001020304 05060708"}) {
        Buffer packet = unhex(text);
        const Buffer before = packet;
        EXPECT_FALSE(complete_checksum(packet));
        EXPECT_EQ(packet, before);
    }
}

} // namespace
} // namespace nfqws2::capture
