// Packets under rules: the walks through the layers of packets and frames stay inside of them, and
// translating addresses there and back gives the same bytes.
#include "rules/layers.hpp"
#include "rules/translate.hpp"

#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

using namespace nfqws2::rules;

void check_bounds(const Layers& layers, std::size_t size) {
    for (const Layers::Part& part : layers.parts)
        if (part.there() &&
            (part.begin > part.payload || part.payload > part.end || part.end > size))
            std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::vector<std::uint8_t> packet(data, data + size);
    const Layers layers = walk_layers(packet);
    check_bounds(layers, size);
    Layers link;
    if (size != 0) walk_link(link, packet, data[size - 1] % (size + 1));
    check_bounds(link, size);
    if (link.has_tag(5) && !link.has(Layer::vlan)) std::abort();
    if (!layers.has(Layer::net)) return 0;
    const nfqws2::IpAddress source = layers.net.source;
    action::Translate there, back;
    const bool ipv4 = source.version == 4;
    const std::uint8_t other[16] = {0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    const unsigned length = ipv4 ? 32 : 128;
    (ipv4 ? there.v4 : there.v6) =
        Prefix{ipv4 ? nfqws2::IpAddress::v4(other) : nfqws2::IpAddress::v6(other), length, false};
    (ipv4 ? back.v4 : back.v6) = Prefix{source, length, false};
    std::vector<std::uint8_t> changed = packet;
    if (!translate(changed, layers, there)) std::abort();
    const Layers again = walk_layers(changed);
    check_bounds(again, size);
    if (again.protocols != layers.protocols || !translate(changed, again, back)) std::abort();
    return 0;
}
