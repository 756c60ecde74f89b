// Packets put aside while a message is being reassembled (docs/contracts/reassembly.md#holding).
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/flow/positions.hpp"
#include "nfqws2/packet/connection.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace nfqws2::rules {
struct Account;
}

namespace nfqws2::flow {

inline constexpr std::size_t max_held_packets = 64;

struct HeldPacket {
    std::vector<std::uint8_t> data;  // cut to its IP length
    std::vector<std::uint8_t> frame; // its header, if somebody wants to see it
    std::uint64_t number = 0;        // of the original, for traces
    std::uint32_t mark = 0;          // likewise
    std::uint32_t payload_len = 0;
    std::string ifin, ifout;
    Positions positions;                         // of the flow after this packet was fed
    std::shared_ptr<const packet::CtFacts> ct;   // with --ct
    std::shared_ptr<const rules::Account> rules; // with --rules
};
using HeldPackets = std::vector<HeldPacket>;

} // namespace nfqws2::flow
