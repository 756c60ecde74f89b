// The blueprint of a dissected packet, the C++ twin of "dissect then reconstruct" in Lua.
#pragma once

#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/packet/reconstruct.hpp"

#include <array>
#include <vector>

namespace nfqws2::packet {

// The scratch arrays hold what the blueprint's spans point to and must outlive it.
struct BlueprintScratch {
    std::array<TcpOptionField, max_tcp_options> tcp_options;
    std::vector<ExtensionField> extensions; // bounded by the packet; keeps its capacity
};
Blueprint blueprint_of(const Dissect& d, BlueprintScratch& scratch);

} // namespace nfqws2::packet
