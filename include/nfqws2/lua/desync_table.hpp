// Building the `desync` table of a packet (docs/contracts/lua-bridge.md#the-desync-table). Two ways
// to the same table: through the C API, and on LuaJIT by a compiled Lua function that reads a plain
// struct through the FFI (several times cheaper; the FFI is taken away from scripts afterwards).
#pragma once

#include "nfqws2/lua/host.hpp"
#include "nfqws2/lua/packet_view.hpp"
#include "nfqws2/profile/profile_set.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace nfqws2::lua {

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
