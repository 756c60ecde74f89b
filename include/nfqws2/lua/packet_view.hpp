// A packet on its way, as scripts are to see it.
#pragma once

#include "nfqws2/flow/connection_table.hpp"
#include "nfqws2/packet/dissect.hpp"
#include "nfqws2/profile/profile.hpp"
#include "nfqws2/protocol/names.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace nfqws2::lua {

class PacketConnection;
class PacketRules;

// A piece of a reassembled message on its second way through the pipeline.
struct Replay {
    unsigned piece = 1, count = 1; // piece is 1-based
    std::uint32_t offset = 0;      // `reasm_offset`
};

// Everything a `desync` table shows of one packet.
struct PacketView {
    const packet::Dissect* dis = nullptr;
    Bytes frame; // header of the link layer, as of Ethernet; empty: not known
    flow::Track* track = nullptr;
    const flow::Positions* positions = nullptr; // set if track is
    const profile::Profile* profile = nullptr;
    bool outgoing = true;
    std::string_view ifin, ifout;
    std::uint32_t fwmark = 0;
    IpAddress target;
    std::uint16_t target_port = 0; // 0 = absent
    protocol::Payload payload = protocol::Payload::unknown;
    protocol::L7 l7 = protocol::L7::unknown;
    std::optional<Bytes> reasm_data, decrypt_data;
    std::optional<Replay> replay;
    PacketConnection* ct = nullptr; // nullptr: --ct=off
    PacketRules* rules = nullptr;   // nullptr: no --rules
    std::uint32_t merged = 0;       // packets that it stands for; 0 = it is one
    std::uint16_t tcp_mss = 0;      // 0 = DEFAULT_MSS of Lua; TCP only

    // Counters of the sending side, nullptr if no track.
    const flow::SidePositions* direct() const {
        if (positions == nullptr) return nullptr;
        return from_client ? &positions->client : &positions->server;
    }
    bool from_client = true;
};

} // namespace nfqws2::lua
