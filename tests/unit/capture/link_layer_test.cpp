#include "nfqws2/capture/link_layer.hpp"

#include "nfqws2/base/text.hpp"
#include "packets.hpp"

#include <gtest/gtest.h>

namespace nfqws2::capture {
namespace {

using test::Buffer;
using test::unhex;

const Buffer four = test::udp4(0xC000020A, 0xC6336414, 53, "data");
const Buffer six = test::ipv6(Buffer(16, 1), Buffer(16, 2), 253, "data");

Buffer behind(std::string_view header, const Buffer& packet, std::size_t padding = 0) {
    Buffer out = unhex(header);
    out.insert(out.end(), packet.begin(), packet.end());
    out.resize(out.size() + padding, 0xEE);
    return out;
}
Buffer inner(LinkType type, const Buffer& frame) {
    const Bytes p = ip_packet_in_frame(type, frame);
    return {p.begin(), p.end()};
}

TEST(LinkLayer, SupportedNumbers) {
    for (const int raw : {101, 12, 14})
        EXPECT_EQ(link_type_from_dlt(raw), LinkType::raw) << raw;
    EXPECT_EQ(link_type_from_dlt(228), LinkType::raw_ipv4);
    EXPECT_EQ(link_type_from_dlt(229), LinkType::raw_ipv6);
    EXPECT_EQ(link_type_from_dlt(1), LinkType::ethernet);
    EXPECT_EQ(link_type_from_dlt(113), LinkType::cooked);
    EXPECT_EQ(link_type_from_dlt(276), LinkType::cooked2);
    EXPECT_EQ(link_type_from_dlt(0), LinkType::null_loop);
    EXPECT_EQ(link_type_from_dlt(108), LinkType::null_loop);
    EXPECT_FALSE(link_type_from_dlt(105)); // 802.11
}

TEST(LinkLayer, RawIpIsTakenAsItIs) {
    Buffer padded = four;
    padded.push_back(0);
    EXPECT_EQ(inner(LinkType::raw, padded), padded);
    EXPECT_EQ(inner(LinkType::raw, six), six);
    EXPECT_EQ(inner(LinkType::raw, {0x45}), Buffer{0x45}) << "cut short by the capture";
    EXPECT_TRUE(inner(LinkType::raw, {0x55, 0}).empty());
    EXPECT_TRUE(inner(LinkType::raw, {}).empty());
    EXPECT_EQ(inner(LinkType::raw_ipv4, four), four);
    EXPECT_TRUE(inner(LinkType::raw_ipv4, six).empty());
    EXPECT_EQ(inner(LinkType::raw_ipv6, six), six);
    EXPECT_TRUE(inner(LinkType::raw_ipv6, four).empty());
}

constexpr const char* macs = "020000000001 020000000002 ";

TEST(LinkLayer, EthernetWithUpToTwoTags) {
    const std::string m = macs;
    EXPECT_EQ(inner(LinkType::ethernet, behind(m + "0800", four)), four);
    EXPECT_EQ(inner(LinkType::ethernet, behind(m + "86DD", six)), six);
    EXPECT_EQ(inner(LinkType::ethernet, behind(m + "8100 0005 0800", four)), four);
    EXPECT_EQ(inner(LinkType::ethernet, behind(m + "88A8 0005 8100 0006 86DD", six)), six);
    EXPECT_TRUE(
        inner(LinkType::ethernet, behind(m + "88A8 0005 8100 0006 8100 0007 0800", four)).empty());
    EXPECT_TRUE(inner(LinkType::ethernet, behind(m + "0806", four)).empty()) << "ARP";
    EXPECT_TRUE(inner(LinkType::ethernet, behind(m + "0800", six)).empty());
    EXPECT_TRUE(inner(LinkType::ethernet, behind(m + "86DD", four)).empty());
}

TEST(LinkLayer, PacketsBehindPppoeAndLabels) {
    const std::string m = macs, session = "8864 1100 0001 0023 ";
    EXPECT_EQ(inner(LinkType::ethernet, behind(m + session + "0021", four, 2)), four);
    EXPECT_EQ(inner(LinkType::ethernet, behind(m + session + "0057", six)), six);
    EXPECT_EQ(inner(LinkType::ethernet, behind(m + "8100 0005 " + session + "0021", four)), four);
    EXPECT_TRUE(inner(LinkType::ethernet, behind(m + session + "C021", four)).empty()) << "LCP";
    EXPECT_TRUE(inner(LinkType::ethernet, behind(m + session + "0021", six)).empty());
    EXPECT_TRUE(
        inner(LinkType::ethernet, behind(m + "8863 1109 0000 0004 0101 0000", four)).empty())
        << "discovery";
    EXPECT_EQ(inner(LinkType::ethernet, behind(m + "8847 0000A040 0000B140", four)), four);
    EXPECT_EQ(inner(LinkType::ethernet, behind(m + "8848 0000B140", six)), six);
    EXPECT_EQ(inner(LinkType::ethernet, behind(m + session + "0281 0000B140", six)), six);
    std::string many = m + "8847";
    for (int i = 0; i < 16; i++)
        many += " 0000A040";
    EXPECT_TRUE(inner(LinkType::ethernet, behind(many + " 0000B140", four)).empty());
}

std::string all_layers(LinkType type, const Buffer& frame) {
    const LinkLayers layers = layers_of_frame(type, frame, ip_packet_in_frame(type, frame));
    return to_hex(layers.view());
}

TEST(LinkLayer, AllThatStandsInFrontOfThePacket) {
    const Buffer tagged = behind(macs + std::string("8100 0005 8847 0000B140"), four, 3);
    EXPECT_EQ(all_layers(LinkType::ethernet, tagged), to_hex(Bytes(tagged).first(22)));
    EXPECT_EQ(all_layers(LinkType::cooked,
                         behind("0004 0001 0006 020000000001 0000 8100 0005 0800", four)),
              "000000000000020000000001810000050800");
    EXPECT_EQ(all_layers(LinkType::cooked2,
                         behind("8100 0000 00000003 0001 00 06 0200000000010000 0005 0800", four)),
              "000000000000020000000001810000050800");
    EXPECT_EQ(all_layers(LinkType::ethernet, behind(macs + std::string("0806"), four)), "");
    EXPECT_EQ(all_layers(LinkType::raw, four), "");
    EXPECT_EQ(all_layers(LinkType::null_loop, behind("02000000", four)), "");
}

TEST(LinkLayer, PaddingIsNotPartOfThePacket) {
    const std::string m = macs;
    EXPECT_EQ(inner(LinkType::ethernet, behind(m + "0800", four, 14)), four);
    EXPECT_EQ(inner(LinkType::ethernet, behind(m + "86DD", six, 3)), six);
    const Buffer bare = test::ipv6(Buffer(16, 1), Buffer(16, 2), 59, "");
    EXPECT_EQ(inner(LinkType::ethernet, behind(m + "86DD", bare, 6)), bare);
    // Lengths that cannot be true say nothing about padding (0: segmentation offload, jumbograms).
    for (const std::uint16_t length : {std::uint16_t{0}, std::uint16_t{19}}) {
        Buffer odd = four;
        store_be16(&odd[2], length);
        EXPECT_EQ(inner(LinkType::ethernet, behind(m + "0800", odd)), odd) << length;
    }
    Buffer jumbo = six;
    store_be16(&jumbo[4], 0);
    EXPECT_EQ(inner(LinkType::ethernet, behind(m + "86DD", jumbo)), jumbo);
}

TEST(LinkLayer, CookedCaptures) {
    const std::string v1 = "0004 0001 0006 020000000001 0000 ";
    EXPECT_EQ(inner(LinkType::cooked, behind(v1 + "0800", four, 2)), four);
    EXPECT_EQ(inner(LinkType::cooked, behind(v1 + "8100 0001 86DD", six)), six);
    EXPECT_TRUE(inner(LinkType::cooked, behind(v1 + "0806", four)).empty());
    const std::string rest = " 0000 00000003 0001 00 06 0200000000010000";
    EXPECT_EQ(inner(LinkType::cooked2, behind("0800" + rest, four, 2)), four);
    EXPECT_EQ(inner(LinkType::cooked2, behind("86DD" + rest, six)), six);
    EXPECT_TRUE(inner(LinkType::cooked2, behind("0806" + rest, four)).empty());
}

TEST(LinkLayer, NullAndLoopInEitherByteOrder) {
    EXPECT_EQ(inner(LinkType::null_loop, behind("02000000", four)), four);
    EXPECT_EQ(inner(LinkType::null_loop, behind("00000002", four)), four);
    for (const char* family : {"0A000000", "18000000", "1C000000", "0000001E", "1E000000"})
        EXPECT_EQ(inner(LinkType::null_loop, behind(family, six)), six) << family;
    EXPECT_TRUE(inner(LinkType::null_loop, behind("00000007", four)).empty());
    EXPECT_TRUE(inner(LinkType::null_loop, behind("00000002", six)).empty());
}

TEST(LinkLayer, FramesCutAnywhere) {
    const std::string m = macs;
    const struct {
        LinkType type;
        Buffer frame;
    } cases[] = {{LinkType::ethernet, behind(m + "88A8 0005 8100 0006 0800", four)},
                 {LinkType::ethernet, behind(m + "8864 1100 0001 0023 0281 0000B140", six)},
                 {LinkType::cooked, behind("0004 0001 0006 020000000001 0000 0800", four)},
                 {LinkType::cooked2, behind("86DD 0000 00000003 0001 00 06 0200000000010000", six)},
                 {LinkType::null_loop, behind("00000002", four)}};
    for (const auto& c : cases) {
        const std::size_t whole = inner(c.type, c.frame).size();
        for (std::size_t n = 0; n < c.frame.size(); n++) {
            const Buffer cut(c.frame.begin(), c.frame.begin() + static_cast<std::ptrdiff_t>(n));
            const std::size_t header = c.frame.size() - whole;
            EXPECT_EQ(inner(c.type, cut).size(), n > header ? n - header : 0);
        }
    }
}

TEST(LinkLayer, HeadersOfFrames) {
    const auto header = [](LinkType type, const Buffer& frame) {
        const LinkHeader found = header_of_frame(type, frame);
        return to_hex(found.view());
    };
    const Buffer ethernet = behind(macs + std::string("0800"), four);
    EXPECT_EQ(header(LinkType::ethernet, ethernet), to_hex(Bytes(ethernet).first(14)));
    const std::string cooked = "0000000000000200000000010800";
    EXPECT_EQ(header(LinkType::cooked, behind("0004 0001 0006 020000000001 0000 0800", four)),
              cooked);
    EXPECT_EQ(
        header(LinkType::cooked2, behind("0800 0000 00000003 0001 00 06 0200000000010000", four)),
        cooked);
    // Of an address of another length nothing is shown.
    EXPECT_EQ(header(LinkType::cooked, behind("0004 0001 0008 020000000001 0203 0800", four)),
              "0000000000000000000000000800");
    for (const LinkType type : {LinkType::raw, LinkType::raw_ipv4, LinkType::null_loop})
        EXPECT_EQ(header(type, behind("", four)), "");
    for (const LinkType type : {LinkType::ethernet, LinkType::cooked, LinkType::cooked2})
        for (std::size_t n = 0; n < 14; n++)
            EXPECT_EQ(header(type, Buffer(n)), "");
}

} // namespace
} // namespace nfqws2::capture
