#include "engine/packet_text.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace nfqws2::engine {
namespace {

TEST(PacketText, NamesExtensionHeaders) {
    std::vector<std::uint8_t> packet(40 + 8 + 8 + 4);
    packet[0] = 0x60;
    packet[5] = 8 + 8 + 4;
    packet[6] = 0; // hop-by-hop
    packet[7] = 64;
    packet[40] = 60;  // destination options
    packet[48] = 254; // for experiments
    EXPECT_EQ(packet_text(packet, nullptr, true),
              "::>:: proto=254 dlen=4 ttl=64 ext=hopopts,dstopts");
}

} // namespace
} // namespace nfqws2::engine
