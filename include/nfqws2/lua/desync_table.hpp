// Building the `desync` table of a packet (docs/contracts/lua-bridge.md#the-desync-table). Two ways
// to the same table: through the C API, and on LuaJIT by a compiled Lua function that reads a plain
// struct through the FFI (several times cheaper; the FFI is taken away from scripts afterwards).
#pragma once

#include "nfqws2/lua/host.hpp"
#include "nfqws2/profile/profile_set.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace nfqws2::lua {

// A piece of a reassembled message on its second way through the pipeline.
struct Replay {
    unsigned piece = 1, count = 1; // piece is 1-based
    std::uint32_t offset = 0;      // `reasm_offset`
};

// Everything a `desync` table shows of one packet.
struct PacketView {
    const packet::Dissect* dis = nullptr;
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
    std::uint16_t tcp_mss = 0; // 0 = DEFAULT_MSS of Lua; TCP only

    const flow::SidePositions* direct() const; // counters of the sending side, nullptr if no track
    bool from_client = true;
};

// Pushes the table through the C API, without `arg`, `func`, `func_n`, `func_instance`.
void push_desync_table(Host& host, const PacketView& view);

class DesyncTable {
  public:
    explicit DesyncTable(Host& host);

    void prepare(const profile::ProfileSet& profiles);
    // Pushes the table the fastest way this state offers; false: the error value instead.
    bool push(const PacketView& view);

  private:
    Host& host_;
};

// To be called before the FFI is taken away: loads the compiled builder into the host. Does nothing
// on engines without FFI or with the JIT off.
void load_fast_table(Host& host);

} // namespace nfqws2::lua
