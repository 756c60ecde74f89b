// Building one fragment out of a whole packet, and rebuilding packets that came as fragments
// (docs/contracts/wire.md#fragments).
#include "packet_testing.hpp"

#include <gtest/gtest.h>

namespace nfqws2::packet {
namespace {

const Buffer payload = hex("303132333435363738394142434445464748494A4B4C4D4E");
const std::string tail = "38394142434445464748494A4B4C4D4E";

Blueprint whole4(std::uint16_t len, std::uint16_t off) {
    Blueprint b = with_udp(plan4(17));
    b.ip.id = 5;
    b.ip.len = len;
    b.ip.off = off;
    b.payload = payload;
    return b;
}

TEST(Fragment4, Table) {
    EXPECT_EQ(build(whole4(36, 0x2000)).text(),
              "4500002400052000401146C00A0100010A010002000100020020F3A23031323334353637");
    EXPECT_EQ(build(whole4(36, 2)).text(), "4500002400050002401166BE0A0100010A010002" + tail);
    const std::string outside = "ipv4 frag : fragment end is outside of the packet";
    EXPECT_EQ(build(whole4(37, 2)).error, outside);
    EXPECT_EQ(build(whole4(19, 0x2000)).error, "ipv4 frag : invalid ip_len");
    EXPECT_EQ(build(whole4(53, 0x2000)).error, "ipv4 frag : invalid ip_len");
    EXPECT_EQ(build(whole4(20, 0x2000)).data.size(), 20U);
    EXPECT_EQ(build(whole4(20, 4)).data.size(), 20U);
    EXPECT_EQ(build(whole4(20, 5)).error, outside);
    const Built df = build(whole4(1, 0x4000));
    EXPECT_EQ(df.data.size(), 52U);
    EXPECT_EQ(load_be16(df.data.data() + 2), 52);
}

TEST(Fragment4, MissingLengthFails) {
    Blueprint b = whole4(0, 0x2000);
    b.ip.len.reset();
    EXPECT_EQ(build(b).error, "ipv4 frag : invalid ip_len");
}

TEST(Fragment4, FragmentModeKeepsTheGivenLength) {
    Blueprint b = whole4(36, 0x2000);
    b.fragment_mode = true;
    const Built built = build(b, {.bad_checksum = true});
    ASSERT_EQ(built.data.size(), 44U) << "L3 header and payload, no UDP header";
    EXPECT_EQ(load_be16(built.data.data() + 2), 36);
    EXPECT_EQ(upper_hex(Bytes(built.data).subspan(20)), upper_hex(payload));
    b.ip.len.reset();
    EXPECT_EQ(load_be16(build(b).data.data() + 2), 44) << "absent: the real length";
}

Blueprint whole6(std::optional<std::uint16_t> plen, std::span<const ExtensionField> extensions) {
    Blueprint b = with_udp(plan6(64));
    b.ip6.payload_len = plen;
    b.ip6.extensions = extensions;
    b.payload = payload;
    return b;
}

TEST(Fragment6, Table) {
    const Buffer first = hex("000100000009"), later = hex("001000000009"),
                 atomic = hex("000000000009");
    const ExtensionField f[] = {{44, 59, first}}, l[] = {{44, 59, later}}, a[] = {{44, 59, atomic}};
    EXPECT_EQ(build(whole6(24, f)).text(), "6000000000182C40" + addresses6 + "1100000100000009" +
                                               "0001000200200DA3" + "3031323334353637");
    EXPECT_EQ(build(whole6(24, l)).text(),
              "6000000000182C40" + addresses6 + "1100001000000009" + tail);
    EXPECT_EQ(build(whole6(25, l)).error, "ipv6 frag : fragmentable part is outside of the packet");
    EXPECT_EQ(build(whole6(7, f)).error, "ipv6 frag : invalid ip6_plen");
    EXPECT_EQ(build(whole6(1, f)).error, "ipv6 frag : invalid ip6_plen");
    EXPECT_EQ(build(whole6(8, f)).data.size(), 48U);
    EXPECT_EQ(build(whole6(std::nullopt, f)).data.size(), 48U);
    EXPECT_EQ(build(whole6(20, a)).data.size(), 60U);
    const Built uncut = build(whole6(0, f));
    EXPECT_EQ(uncut.data.size(), 80U);
    EXPECT_EQ(load_be16(uncut.data.data() + 4), 40);
}

TEST(Fragment6, HeadersInFrontAreRepeated) {
    const Buffer hop = hex("010400000000"), later = hex("001000000009");
    const ExtensionField list[] = {{0, 59, hop}, {44, 59, later}};
    EXPECT_EQ(build(whole6(32, list)).text(),
              "6000000000200040" + addresses6 + "2C00010400000000" + "1100001000000009" + tail);
    EXPECT_EQ(build(whole6(12, list)).error, "ipv6 frag : invalid ip6_plen");
}

TEST(Fragment6, FragmentModePreservesTheChain) {
    const Buffer later = hex("001000000009");
    const ExtensionField list[] = {{44, 17, later}};
    Blueprint b = whole6(99, list);
    b.fragment_mode = true;
    b.ip6.next = 44;
    EXPECT_EQ(build(b).text(),
              "6000000000632C40" + addresses6 + "1100001000000009" + upper_hex(payload));
    b.ip6.payload_len.reset();
    EXPECT_EQ(load_be16(build(b).data.data() + 4), 32) << "absent: the real length";
}

} // namespace
} // namespace nfqws2::packet
