// Where packets are rebuilt. One is enough, since native functions run one at a time; what was
// built is good until the next one is.
#pragma once

#include "nfqws2/packet/blueprint.hpp"
#include "table/fast_reader.hpp"

#include <array>
#include <cstdint>
#include <string>

namespace nfqws2::lua {

struct PacketScratch {
    std::array<std::uint8_t, 65536> packet;
    packet::BlueprintScratch blueprint;
    FastReader reader;
    std::string error; // of the last rebuild() that failed
};

} // namespace nfqws2::lua
