#include "nfqws2/packet/checksum.hpp"

#include "packet_testing.hpp"

#include <gtest/gtest.h>

namespace nfqws2::packet {
namespace {

const Buffer ip4 = hex("4500003c1c4640004006b1e6c0a80068c0a80001");
const Buffer ip6 =
    hex("6001234500003b4020010db800000000000000000000000120010db8000000000000000000000002");
const Buffer tcp =
    hex("ac140050000003e800000000a002faf000000000020405b40402080a00000001000000000103030a");

// The sum as RFC 1071 writes it down, word by word.
std::uint16_t reference_sum(Bytes data) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < data.size(); i += 2)
        sum += static_cast<std::uint64_t>(data[i] << 8 | (i + 1 < data.size() ? data[i + 1] : 0));
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

TEST(Checksum, AgreesWithTheDefinitionForEveryLength) {
    Buffer data(300);
    test_random().fill(data);
    for (std::size_t n = 0; n <= data.size(); n++)
        EXPECT_EQ(checksum_finish(checksum_add(0, Bytes(data).first(n))),
                  reference_sum(Bytes(data).first(n)))
            << n;
}

TEST(Checksum, AllOnesDoNotOverflow) {
    const Buffer data(65535, 0xFF);
    EXPECT_EQ(checksum_finish(checksum_add(0, data)), reference_sum(data));
}

TEST(Checksum, PartsAddUp) {
    Buffer data(101);
    test_random().fill(data);
    const Bytes all(data);
    const std::uint32_t sum = checksum_add(checksum_add(0, all.first(42)), all.subspan(42));
    EXPECT_EQ(checksum_finish(sum), reference_sum(all));
}

TEST(Checksum, Ipv4Header) {
    Buffer header = ip4;
    fix_ipv4_checksum(header);
    EXPECT_EQ(load_be16(header.data() + 10), 0x9CBC);
}

TEST(Checksum, TcpOverBothFamilies) {
    const Buffer abc = hex("616263");
    EXPECT_EQ(l4_checksum(L4Checksum::tcp, ip4, tcp, {}), 0x1B05);
    EXPECT_EQ(l4_checksum(L4Checksum::tcp, ip4, tcp, abc), 0x569F);
    EXPECT_EQ(l4_checksum(L4Checksum::tcp, ip6, tcp, abc), 0x7CE4);
}

TEST(Checksum, UdpOverBothFamilies) {
    const Buffer udp = hex("03e8003500000000"), abc = hex("616263");
    EXPECT_EQ(l4_checksum(L4Checksum::udp, ip4, udp, abc), 0xB5A9);
    EXPECT_EQ(l4_checksum(L4Checksum::udp, ip6, udp, abc), 0xDBEE);
}

TEST(Checksum, IcmpHasAPseudoHeaderOverIpv6Only) {
    const Buffer icmp = hex("0800000012340001"), abc = hex("616263");
    EXPECT_EQ(l4_checksum(L4Checksum::icmp, ip4, icmp, abc), 0x2168);
    EXPECT_EQ(l4_checksum(L4Checksum::icmp, ip6, icmp, abc), 0xC5AD);
}

TEST(Checksum, TheOldValueDoesNotCount) {
    Buffer udp = hex("03e800350000BEEF");
    EXPECT_EQ(l4_checksum(L4Checksum::udp, ip4, udp, hex("616263")), 0xB5A9);
}

TEST(Checksum, HeaderOfOddLengthJoinsThePayloadWithoutAGap) {
    const Buffer header = hex("03e800350000000061"), payload = hex("6263");
    EXPECT_EQ(l4_checksum(L4Checksum::udp, ip4, header, payload), 0xB5A9);
}

TEST(Checksum, UdpZeroBecomesAllOnes) {
    const Buffer udp = hex("0001000200000000");
    // The payload word that brings the sum to FFFF.
    const std::uint16_t rest = l4_checksum(L4Checksum::udp, ip4, udp, hex("0000"));
    Buffer payload(2);
    store_be16(payload.data(), rest);
    EXPECT_EQ(l4_checksum(L4Checksum::udp, ip4, udp, payload), 0xFFFF);
}

} // namespace
} // namespace nfqws2::packet
