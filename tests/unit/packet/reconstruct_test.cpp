#include "nfqws2/packet/reconstruct.hpp"

#include "nfqws2/packet/checksum.hpp"
#include "packet_testing.hpp"

#include <gtest/gtest.h>

namespace nfqws2::packet {
namespace {

const Buffer abc = hex("616263"), abcd = hex("61626364"), xy = hex("7879");
const std::string tcp6 = "9C4001BB0000000100000002501000640000";

TEST(Reconstruct, MinimalTcp) {
    Blueprint b = with_tcp(plan4(6));
    b.payload = abc;
    EXPECT_EQ(build(b).text(),
              "4500002B00000000400666C90A0100010A0100029C4001BB00000001000000025010006439080000"
              "616263");
    b.ip.len = 7;
    b.tcp.checksum = 0x1111;
    b.tcp.x2 = 15;
    EXPECT_EQ(build(b).text(),
              "4500002B00000000400666C90A0100010A0100029C4001BB00000001000000025F1000642A080000"
              "616263");
}

TEST(Reconstruct, KeepChecksum) {
    Blueprint b = with_tcp(plan4(6));
    b.payload = abc;
    b.tcp.checksum = 0x1122;
    EXPECT_EQ(build(b, {.keep_checksum = true}).text(),
              "4500002B00000000400666C90A0100010A0100029C4001BB00000001000000025010006411220000"
              "616263");
    EXPECT_EQ(build(b, {.keep_checksum = true, .bad_checksum = true}).text(),
              build(b, {.keep_checksum = true}).text());
}

TEST(Reconstruct, Ipv4OptionsArePadded) {
    Blueprint b = with_tcp(plan4(6));
    const Buffer options = hex("0101010101");
    b.ip.options = options;
    EXPECT_EQ(build(b).text(), "4700003000000000400661C20A0100010A010002010101010100000"
                               "09C4001BB000000010000000250100064FD6D0000");
    const Buffer most(40, 1), too_many(41, 1);
    b.ip.options = most;
    EXPECT_EQ(build(b).data.size(), 80U);
    b.ip.options = too_many;
    EXPECT_EQ(build(b).error, "bad ip");
}

TEST(Reconstruct, TcpOptionsArePaddedWithEnd) {
    Blueprint b = with_tcp(plan4(6));
    const TcpOptionField sack_ok[] = {{4, {}}};
    b.tcp.options = sack_ok;
    EXPECT_EQ(build(b).text(), "4500002C00000000400666C80A0100010A0100029C4001BB"
                               "000000010000000260100064E967000004020000");
    const Buffer mss = hex("05B4"), stamp(8);
    const TcpOptionField with_end[] = {{2, mss}, {0, {}}, {8, stamp}};
    b.tcp.options = with_end;
    EXPECT_EQ(build(b).text(), "4500003000000000400666C40A0100010A0100029C4001BB"
                               "000000010000000270100064D5AD0000020405B400000000");
    const Buffer most(38), too_many(39);
    const TcpOptionField fits[] = {{34, most}}, fails[] = {{34, too_many}};
    b.tcp.options = fits;
    EXPECT_EQ(build(b).data.size(), 80U);
    b.tcp.options = fails;
    EXPECT_EQ(build(b).error, "bad tcp");
    const std::vector<TcpOptionField> noops(41, TcpOptionField{1, {}});
    b.tcp.options = noops;
    EXPECT_EQ(build(b).error, "bad tcp");
}

TEST(Reconstruct, Udp) {
    Blueprint b = with_udp(plan4(17));
    b.udp.length = 999;
    b.udp.checksum = 5;
    b.payload = abcd;
    EXPECT_EQ(build(b).text(), "4500002000000000401166C90A0100010A01000200010002000C2708"
                               "61626364");
    EXPECT_EQ(build(b, {.keep_checksum = true}).text(),
              "4500002000000000401166C90A0100010A0100020001000203E7000561626364");
}

TEST(Reconstruct, Icmp) {
    Blueprint b = with_icmp(plan4(1), 8, 0x00010002);
    b.payload = abcd;
    EXPECT_EQ(build(b).text(), "4500002000000000400166D90A0100010A010002080033360001000261626364");
    Blueprint b6 = with_icmp(plan6(9), 128, 1);
    b6.payload = xy;
    EXPECT_EQ(build(b6).text(), "60000000000A3A09" + addresses6 + "80000D3C000000017879");
}

TEST(Reconstruct, RawIpv4) {
    Blueprint b = plan4(50);
    b.payload = abcd;
    EXPECT_EQ(build(b).text(), "4500001800000000403266B00A0100010A01000261626364");
}

TEST(Reconstruct, TcpInsideAnotherProtocolNumber) {
    EXPECT_EQ(build(with_tcp(plan4(99))).data[9], 99);
}

TEST(Reconstruct, Ipv6NextHeaderOfRawPackets) {
    Blueprint b = plan6(9);
    b.ip6.next = 50;
    b.payload = xy;
    EXPECT_EQ(build(b).text(), "6000000000023B09" + addresses6 + "7879");
    EXPECT_EQ(build(b, {.preserve_next = true}).text(), "6000000000023209" + addresses6 + "7879");
    EXPECT_EQ(build(b, {.last_proto = 47}).text(), "6000000000022F09" + addresses6 + "7879");
    b.raw_protocol = 50;
    EXPECT_EQ(build(b).text(), "6000000000023209" + addresses6 + "7879");
}

TEST(Reconstruct, LastProtocol59MeansAutomatic) {
    EXPECT_EQ(build(with_tcp(plan6()), {.last_proto = 59}).text(),
              "6000000000140600" + addresses6 + tcp6.substr(0, 32) + "176E0000");
    EXPECT_EQ(build(with_udp(plan6()), {.last_proto = 99}).data[6], 99);
}

TEST(Reconstruct, Ipv6ExtensionChain) {
    const Buffer data = hex("010400000000");
    const ExtensionField automatic[] = {{0, 59, data}, {60, 59, data}};
    Blueprint b = with_tcp(plan6(9));
    b.ip6.extensions = automatic;
    EXPECT_EQ(build(b).text().substr(0, 112),
              "6000000000240009" + addresses6 + "3C00010400000000" + "0600010400000000");
    EXPECT_EQ(build(b, {.preserve_next = true}).text().substr(0, 112),
              "6000000000240009" + addresses6 + "3B00010400000000" + "3B00010400000000");
    const Buffer ones(10, 1);
    const ExtensionField ah[] = {{51, 59, ones}};
    Blueprint c = with_tcp(plan6());
    c.ip6.extensions = ah;
    EXPECT_EQ(build(c).text().substr(0, 104),
              "6000000000203300" + addresses6 + "060101010101010101010101");
}

TEST(Reconstruct, ExtensionHeaderSizes) {
    const auto accepted = [](std::uint8_t type, std::size_t size) {
        const Buffer data(size);
        const ExtensionField list[] = {{type, 59, data}};
        Blueprint b = plan6();
        b.ip6.extensions = list;
        return build(b).error.empty();
    };
    EXPECT_FALSE(accepted(60, 0));
    EXPECT_FALSE(accepted(60, 5));
    EXPECT_TRUE(accepted(60, 6));
    EXPECT_FALSE(accepted(60, 7));
    EXPECT_TRUE(accepted(60, 14));
    EXPECT_TRUE(accepted(60, 2046));
    EXPECT_FALSE(accepted(60, 2054));
    EXPECT_TRUE(accepted(51, 6));
    EXPECT_TRUE(accepted(51, 10));
    EXPECT_FALSE(accepted(51, 12));
    EXPECT_TRUE(accepted(51, 1022));
    EXPECT_FALSE(accepted(51, 1026));
    EXPECT_FALSE(accepted(44, 10));
}

TEST(Reconstruct, ExtensionLengthBytes) {
    const Buffer data(2046), ah(1022);
    const ExtensionField list[] = {{60, 59, data}, {51, 59, ah}};
    Blueprint b = plan6();
    b.ip6.extensions = list;
    const Built built = build(b);
    ASSERT_TRUE(built.error.empty());
    EXPECT_EQ(built.data[41], 255);
    EXPECT_EQ(built.data[40 + 2048 + 1], 254);
}

TEST(Reconstruct, BadChecksumIsAlwaysWrong) {
    const Buffer zero(2);
    for (int i = 0; i < 2000; i++) {
        for (Blueprint b : {with_tcp(plan4(6)), with_udp(plan4(17)), with_udp(plan6())}) {
            b.payload = zero;
            // Walk through right checksums near both ends of the range.
            b.udp.source_port = b.tcp.source_port = static_cast<std::uint16_t>(i * 33);
            const Built good = build(b), bad = build(b, {.bad_checksum = true});
            const Dissect d = dissect(good.data);
            const std::size_t at =
                d.l3_len + checksum_offset(d.l4 == L4::tcp ? L4Checksum::tcp : L4Checksum::udp);
            const std::uint16_t right = load_be16(good.data.data() + at);
            const std::uint16_t wrong = load_be16(bad.data.data() + at);
            EXPECT_NE(wrong % 0xFFFF, right % 0xFFFF);
            EXPECT_NE(wrong, 0);
            if (d.l3 == L3::ipv4) {
                EXPECT_EQ(checksum_finish(checksum_add(0, Bytes(bad.data).first(20))), 0);
            }
        }
    }
}

TEST(Reconstruct, UdpChecksumIsNeverZero) {
    Blueprint b = with_udp(plan4(17));
    const Buffer zero(2);
    b.payload = zero;
    const Buffer first = build(b).data;
    Buffer rest(2);
    std::copy_n(first.begin() + 26, 2, rest.begin());
    b.payload = rest;
    EXPECT_EQ(load_be16(build(b).data.data() + 26), 0xFFFF);
}

TEST(Reconstruct, SizeLimits) {
    const Buffer most(65515), over(65516), huge(65536), exactly(65535);
    Blueprint b = plan4(50);
    b.payload = most;
    EXPECT_EQ(build(b).data.size(), 65535U);
    b.payload = over;
    EXPECT_EQ(build(b).error, "packet too large : 65536");
    b.payload = huge;
    EXPECT_EQ(build(b).error, "payload too large : 65536");
    b.payload = exactly;
    EXPECT_EQ(build(b).error,
              "payload does not fit into the buffer : payload 65535 buffer_left 65516");
    Blueprint b6 = plan6();
    b6.payload = Bytes(most).first(65496);
    EXPECT_EQ(build(b6).data.size(), 65536U);
    EXPECT_EQ(load_be16(build(b6).data.data() + 4), 65496);
}

TEST(Reconstruct, SmallBuffersFailWithoutWritingBehindThem) {
    const Buffer options(13, 1), data(6);
    const TcpOptionField list[] = {{34, options}};
    const ExtensionField chain[] = {{0, 59, data}};
    Blueprint b4 = with_tcp(plan4(6)), b6 = with_tcp(plan6());
    b4.ip.options = options;
    b4.tcp.options = b6.tcp.options = list;
    b6.ip6.extensions = chain;
    b4.payload = b6.payload = abc;
    for (const Blueprint& b : {b4, b6}) {
        const std::size_t full = build(b).data.size();
        ASSERT_NE(full, 0U);
        for (std::size_t room = 0; room < full; room++)
            EXPECT_FALSE(build(b, {}, room).error.empty()) << room;
        EXPECT_TRUE(build(b, {}, full).error.empty());
    }
}

TEST(Reconstruct, NoL3Fails) {
    EXPECT_EQ(build(Blueprint{}).error, "bad ip6");
}

std::string header_text(const std::function<Reconstructed(MutBytes)>& make) {
    Buffer out(1024);
    const Reconstructed r = make(out);
    return r.ok() ? upper_hex(Bytes(out).first(r.size)) : r.error;
}

TEST(Headers, Ipv4KeepsTheLengthAndComputesTheChecksum) {
    Ipv4Fields f;
    f.id = 0x1C46;
    f.off = 0x4000;
    f.ttl = 64;
    f.protocol = 6;
    f.source = {192, 168, 0, 104};
    f.destination = {192, 168, 0, 1};
    const auto text = [&] {
        return header_text([&](MutBytes out) { return build_ipv4_header(f, out); });
    };
    EXPECT_EQ(text(), "450000001C46400040069CF8C0A80068C0A80001");
    f.len = 60;
    EXPECT_EQ(text(), "4500003C1C46400040069CBCC0A80068C0A80001");
    f.len = 0;
    const Buffer options = hex("0102030405");
    f.options = options;
    EXPECT_EQ(text(), "470000001C464000400691F2C0A80068C0A800010102030405000000");
}

TEST(Headers, Ipv6) {
    Ipv6Fields f = plan6(64).ip6;
    f.flow = 0x60012345;
    f.next = 17;
    const auto text = [&](bool preserve, std::uint8_t last) {
        return header_text([&](MutBytes out) { return build_ipv6_header(f, preserve, last, out); });
    };
    EXPECT_EQ(text(false, 59), "6001234500003B40" + addresses6);
    EXPECT_EQ(text(false, 6), "6001234500000640" + addresses6);
    EXPECT_EQ(text(true, 59), "6001234500001140" + addresses6);
    const Buffer hop = hex("010400000000"), fragment = hex("00000000ABCD");
    const ExtensionField list[] = {{0, 59, hop}, {44, 59, fragment}};
    f.extensions = list;
    EXPECT_EQ(text(false, 17), "6001234500100040" + addresses6 +
                                   "2C00010400000000"
                                   "110000000000ABCD");
    f.payload_len = 100;
    EXPECT_EQ(text(false, 17).substr(8, 4), "0064");
}

TEST(Headers, Ipv6ResultIsLimitedTo512Bytes) {
    const Buffer fits(470), over(478);
    Ipv6Fields f = plan6().ip6;
    const ExtensionField ok[] = {{60, 59, fits}}, bad[] = {{60, 59, over}};
    f.extensions = ok;
    EXPECT_EQ(
        header_text([&](MutBytes out) { return build_ipv6_header(f, false, 59, out); }).size(),
        1024U);
    f.extensions = bad;
    EXPECT_EQ(header_text([&](MutBytes out) { return build_ipv6_header(f, false, 59, out); }),
              "bad ip6");
}

TEST(Headers, TcpUdpIcmpKeepWhatIsGiven) {
    TcpFields tcp = with_tcp(plan4(6)).tcp;
    tcp.checksum = 0xABCD;
    tcp.urgent = 7;
    tcp.x2 = 0xFF;
    EXPECT_EQ(header_text([&](MutBytes out) { return build_tcp_header(tcp, out); }),
              "9C4001BB00000001000000025F100064ABCD0007");
    const UdpFields udp{1000, 53, 8, 0x1234};
    EXPECT_EQ(header_text([&](MutBytes out) { return build_udp_header(udp, out); }),
              "03E8003500081234");
    const IcmpFields icmp{8, 0, 0, 0x12340001};
    EXPECT_EQ(header_text([&](MutBytes out) { return build_icmp_header(icmp, out); }),
              "0800000012340001");
}

} // namespace
} // namespace nfqws2::packet
