#include "nfqws2/packet/dissect.hpp"

#include "packet_testing.hpp"

#include <gtest/gtest.h>

namespace nfqws2::packet {
namespace {

// IPv4, 20-byte header, TCP 20-byte header, 40 bytes in total.
const std::string base4 = "450000280000000040060000 0A010001 0A010002"
                          "9C4001BB00000001000000025010006400000000";

Buffer changed(std::string_view text, std::size_t at, std::uint8_t value) {
    Buffer b = hex(text);
    b[at] = value;
    return b;
}

TEST(Dissect, TcpWithOptions) {
    const Buffer p = hex("4610003D1234400040067F6E0A0100010A010002 94040000"
                         "9C4001BB010203040A0B0C0D801801F653750000 0101080A1122334455667788"
                         "68656C6C6F");
    const Dissect d = dissect(p);
    ASSERT_EQ(d.l3, L3::ipv4);
    ASSERT_EQ(d.l4, L4::tcp);
    EXPECT_EQ(d.l3_len, 24);
    EXPECT_EQ(d.l4_len, 32);
    EXPECT_EQ(d.transport_len, 37U);
    EXPECT_EQ(d.l4proto, 6);
    EXPECT_EQ(as_text(d.payload), "hello");
    EXPECT_EQ(d.source().text(), "10.1.0.1");
    EXPECT_EQ(d.destination().text(), "10.1.0.2");
    EXPECT_EQ(d.source_port(), 40000);
    EXPECT_EQ(d.destination_port(), 443);
    EXPECT_EQ(d.tcp_seq(), 0x01020304U);
    EXPECT_EQ(d.tcp_ack(), 0x0A0B0C0DU);
    EXPECT_EQ(d.tcp_flags(), 0x18);
    EXPECT_EQ(d.tcp_window(), 502);
    EXPECT_EQ(d.ttl(), 64);
    EXPECT_FALSE(d.fragment);
}

TEST(Dissect, Ipv6WithExtensionHeaders) {
    const Buffer p = hex("62012345002F0040" + addresses6 +
                         "3C00010400000000 0601010C000000000000000000000000"
                         "9C4001BB000000010000000250100064 53080000 616263");
    const Dissect d = dissect(p);
    ASSERT_EQ(d.l3, L3::ipv6);
    ASSERT_EQ(d.l4, L4::tcp);
    EXPECT_EQ(d.ip6_flow(), 0x62012345U);
    EXPECT_EQ(d.l3_len, 64);
    EXPECT_EQ(d.l4_len, 20);
    EXPECT_EQ(d.transport_len, 23U);
    EXPECT_EQ(as_text(d.payload), "abc");
    EXPECT_EQ(d.source().text(), "fd00::1");
    EXPECT_EQ(d.destination().text(), "fd00::2");
    EXPECT_EQ(d.ttl(), 64);
}

TEST(Dissect, Udp) {
    const Buffer p = hex("4500002400070000401166BE0A0100010A010002 1388003500101ABC"
                         "7061796C6F616421");
    const Dissect d = dissect(p);
    ASSERT_EQ(d.l4, L4::udp);
    EXPECT_EQ(d.source_port(), 5000);
    EXPECT_EQ(d.destination_port(), 53);
    EXPECT_EQ(d.l4_len, 8);
    EXPECT_EQ(d.transport_len, 16U);
    EXPECT_EQ(as_text(d.payload), "payload!");
}

TEST(Dissect, IcmpErrorAndTheQuotedPacket) {
    const Buffer p = hex("4500003800080000FF01A6BC0A0100FE0A010001 0303406900000000"
                         "4500002C000900000111A5AD0A0100010A010009 1388829A00182659");
    const Dissect d = dissect(p);
    ASSERT_EQ(d.l4, L4::icmp);
    EXPECT_EQ(d.icmp_type(), 3);
    EXPECT_EQ(d.icmp_code(), 3);
    ASSERT_EQ(d.payload.size(), 28U);
    EXPECT_FALSE(dissect(d.payload).is_ip());
    const Dissect quoted = dissect(d.payload, Completeness::partial);
    ASSERT_EQ(quoted.l4, L4::udp);
    EXPECT_EQ(quoted.source_port(), 5000);
    EXPECT_EQ(quoted.destination_port(), 33434);
    EXPECT_EQ(quoted.transport_len, 8U);
    EXPECT_TRUE(quoted.payload.empty());
}

TEST(Dissect, Ipv4FragmentStaysRaw) {
    const Buffer p = hex("45000024007720B9401145950A0100010A010002"
                         "46464646464646464646464646464646");
    const Dissect d = dissect(p);
    EXPECT_TRUE(d.fragment);
    EXPECT_EQ(d.frag_off, 1480);
    EXPECT_EQ(d.l4proto, 17);
    EXPECT_EQ(d.l4, L4::none);
    EXPECT_EQ(d.l4_len, 0);
    EXPECT_EQ(d.transport_len, 16U);
    EXPECT_EQ(d.payload.size(), 16U);
}

TEST(Dissect, FirstIpv4FragmentStaysRawAndDfDoesNotMatter) {
    const Buffer first = changed(base4, 6, 0x20);
    EXPECT_TRUE(dissect(first).fragment);
    EXPECT_EQ(dissect(first).frag_off, 0);
    EXPECT_EQ(dissect(first).l4, L4::none);
    EXPECT_EQ(dissect(first).payload.size(), 20U);
    const Buffer df = changed(base4, 6, 0xC0);
    EXPECT_FALSE(dissect(df).fragment);
    EXPECT_EQ(dissect(df).l4, L4::tcp);
}

TEST(Dissect, TrailingBytesAreCut) {
    Buffer p = hex(base4);
    p.resize(42);
    EXPECT_EQ(dissect(p).packet.size(), 40U);
    EXPECT_TRUE(dissect(p).payload.empty());
    Buffer p6 = hex("6000000000023209" + addresses6 + "7879");
    p6.resize(50);
    EXPECT_EQ(dissect(p6).packet.size(), 42U);
    EXPECT_EQ(as_text(dissect(p6).payload), "xy");
}

TEST(Dissect, WhatIsNotIp) {
    const Buffer good = hex(base4);
    EXPECT_FALSE(dissect(Bytes(good).first(38)).is_ip()) << "shorter than ip_len";
    EXPECT_FALSE(dissect(Bytes(good).first(19)).is_ip());
    EXPECT_FALSE(dissect({}).is_ip());
    EXPECT_FALSE(dissect(changed(base4, 0, 0x55)).is_ip());
    EXPECT_FALSE(dissect(changed(base4, 0, 0x44)).is_ip());
    EXPECT_FALSE(dissect(changed(base4, 0, 0x4F)).is_ip());
    EXPECT_FALSE(dissect(hex("6000000000033209" + addresses6 + "7879")).is_ip());
    EXPECT_FALSE(dissect(Bytes(hex("6000000000003209" + addresses6)).first(39)).is_ip());
    const Buffer rubbish = hex("7878");
    const Dissect d = dissect(rubbish);
    EXPECT_EQ(d.l4proto, 0);
    EXPECT_EQ(d.transport_len, 0U);
    EXPECT_EQ(d.l3_len, 0);
    EXPECT_TRUE(d.source().empty());
    EXPECT_TRUE(d.destination().empty());
}

TEST(Dissect, PartialTakesWhatIsThere) {
    const Buffer good = hex(base4);
    const Dissect d = dissect(Bytes(good).first(38), Completeness::partial);
    EXPECT_EQ(d.l3, L3::ipv4);
    EXPECT_EQ(d.l4, L4::none);
    EXPECT_EQ(d.transport_len, 18U);
    const Buffer p6 = hex("6000000000F03209" + addresses6 + "7879");
    EXPECT_EQ(as_text(dissect(p6, Completeness::partial).payload), "xy");
}

TEST(Dissect, TotalLengthBelowTheHeaderIsHarmless) {
    for (std::uint8_t length = 0; length < 20; length++) {
        const Buffer p = changed(base4, 3, length);
        EXPECT_FALSE(dissect(p).is_ip()) << int{length};
        const Dissect d = dissect(p, Completeness::partial);
        EXPECT_EQ(d.packet.size(), 40U) << int{length};
        EXPECT_EQ(d.l4, L4::tcp);
    }
}

TEST(Dissect, UnrecognisedL4IsRawIp) {
    const auto raw = [](const Buffer& p, std::uint8_t protocol, std::size_t payload) {
        const Dissect d = dissect(p);
        EXPECT_TRUE(d.is_ip());
        EXPECT_EQ(d.l4, L4::none);
        EXPECT_EQ(d.l4_len, 0);
        EXPECT_EQ(d.l4proto, protocol);
        EXPECT_EQ(d.payload.size(), payload);
    };
    raw(changed(base4, 32, 0x40), 6, 20); // th_off 4
    raw(changed(base4, 32, 0x60), 6, 20); // th_off 6 of 20 bytes
    raw(hex("450000270000000040060000 0A010001 0A010002"
            "9C4001BB000000010000000250100064000000"),
        6, 19);
    raw(hex("4500001B0000000040010000 0A010001 0A010002 08000000000000"), 1, 7);
    raw(hex("450000180000000040320000 0A010001 0A010002 61626364"), 50, 4);
    const std::string udp = "450000200000000040110000 0A010001 0A010002 00010002";
    raw(hex(udp + "0000000061626364"), 17, 12);
    raw(hex(udp + "0007000061626364"), 17, 12);
    raw(hex(udp + "000D000061626364"), 17, 12);
}

TEST(Dissect, UdpPayloadIsTheRestOfTheIpPayload) {
    const Buffer p = hex("450000200000000040110000 0A010001 0A010002 00010002 00090000 61626364");
    const Dissect d = dissect(p);
    ASSERT_EQ(d.l4, L4::udp);
    EXPECT_EQ(as_text(d.payload), "abcd");
}

TEST(Dissect, IcmpFlavourDoesNotDependOnTheIpVersion) {
    EXPECT_EQ(dissect(hex("4500001C00000000403A0000 0A010001 0A010002 8000000000000001")).l4,
              L4::icmp);
    EXPECT_EQ(dissect(hex("6000000000080109" + addresses6 + "0800000000000001")).l4, L4::icmp);
}

struct Ipv6Row {
    const char* name;
    const char* plen_next; // bytes 4..6
    const char* rest;
    int l4proto;
    int l3_len;
    L4 l4;
    bool fragment;
};

TEST(Dissect, Ipv6LastProtocolTable) {
    const char* tcp = "9C4001BB00000001000000025010006400000000";
    const std::string hop = "0600010400000000";
    const std::string first = std::string("0600000100000009") + tcp;
    const std::string later = "0600001000000009 4141414141414141";
    const std::string hop_later = "2C00010400000000 0600001000000009 4141414141414141";
    const std::string hop_tcp = hop + tcp;
    const std::string atomic = std::string("0600000000000009") + tcp;
    const Ipv6Row rows[] = {
        {"hop-by-hop, TCP", "001C00", hop_tcp.c_str(), 6, 48, L4::tcp, false},
        {"first fragment", "001C2C", first.c_str(), 6, 48, L4::none, true},
        {"later fragment", "00102C", later.c_str(), 44, 48, L4::none, true},
        {"hop-by-hop, later fragment", "001800", hop_later.c_str(), 0, 56, L4::none, true},
        {"hop-by-hop, none", "000900", "3B00010400000000 41", 0, 48, L4::none, false},
        {"none", "00023B", "4141", 59, 40, L4::none, false},
        {"hop-by-hop cut off", "000400", "06000104", 0, 40, L4::none, false},
        {"hop-by-hop of one byte", "000100", "06", 0, 40, L4::none, false},
        {"hop-by-hop, nothing behind", "000800", hop.c_str(), 0, 48, L4::none, false},
        {"no payload length", "000006", tcp, 6, 40, L4::none, false},
        {"atomic fragment", "001C2C", atomic.c_str(), 6, 48, L4::tcp, false},
    };
    for (const Ipv6Row& row : rows) {
        const Buffer p =
            hex("60000000" + std::string(row.plen_next) + "40" + addresses6 + row.rest);
        const Dissect d = dissect(p);
        ASSERT_EQ(d.l3, L3::ipv6) << row.name;
        EXPECT_EQ(d.l4proto, row.l4proto) << row.name;
        EXPECT_EQ(d.l3_len, row.l3_len) << row.name;
        EXPECT_EQ(d.l4, row.l4) << row.name;
        EXPECT_EQ(d.fragment, row.fragment) << row.name;
    }
}

TEST(Dissect, LastOfSeveralFragmentHeadersDecides) {
    const Buffer p =
        hex("6000000000182C40" + addresses6 + "2C00000100000009 1100000000000009 0001000200080000");
    const Dissect d = dissect(p);
    EXPECT_FALSE(d.fragment);
    EXPECT_EQ(d.l4, L4::udp);
}

TEST(Dissect, LargestInputsKeepTheirSizesConsistent) {
    // 8191 destination option headers.
    Buffer p(40 + 65528);
    p[0] = 0x60;
    store_be16(p.data() + 4, 65528);
    p[6] = proto::dstopts;
    for (std::size_t at = 40; at < p.size(); at += 8)
        p[at] = proto::dstopts;
    const Dissect d = dissect(p);
    EXPECT_EQ(d.packet.size(), d.l3_len + d.payload.size());
    Buffer huge(70000);
    huge[0] = 0x45;
    EXPECT_LE(dissect(huge, Completeness::partial).packet.size(), 65535U);
}

TEST(Dissect, HeaderChecks) {
    const Buffer p = hex(base4);
    EXPECT_TRUE(looks_like_ipv4(p));
    EXPECT_TRUE(looks_like_ipv4(Bytes(p).first(20))) << "the length field does not matter";
    EXPECT_FALSE(looks_like_ipv4(Bytes(p).first(19)));
    EXPECT_FALSE(looks_like_ipv4(changed(base4, 0, 0x4F)));
    EXPECT_FALSE(looks_like_ipv6(p));
    const Buffer p6 = hex("6000000000F03209" + addresses6);
    EXPECT_TRUE(looks_like_ipv6(p6));
    EXPECT_FALSE(looks_like_ipv6(Bytes(p6).first(39)));
}

} // namespace
} // namespace nfqws2::packet
