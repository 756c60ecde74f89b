// The IP packet inside a captured frame, and what stands in front of it: the first byte chooses the
// link type.
#include "nfqws2/capture/link_layer.hpp"

#include <cstdlib>

using namespace nfqws2;
using namespace nfqws2::capture;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    constexpr unsigned types = static_cast<unsigned>(LinkType::null_loop) + 1;
    if (size == 0) return 0;
    const Bytes frame(raw + 1, size - 1);
    const Bytes packet = ip_packet_in_frame(static_cast<LinkType>(raw[0] % types), frame);
    if (packet.empty()) return 0;
    const bool inside = packet.data() >= frame.data() &&
                        packet.data() + packet.size() <= frame.data() + frame.size();
    const LinkLayers layers = layers_of_frame(static_cast<LinkType>(raw[0] % types), frame, packet);
    if (layers.size != 0 && layers.size < LinkHeader::size) std::abort();
    if (!inside || (packet[0] >> 4 != 4 && packet[0] >> 4 != 6)) std::abort();
    return 0;
}
