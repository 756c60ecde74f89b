// Packets as Lua tables, both ways: header bytes into tables, tables into the plain structs that
// the packet room builds from (docs/contracts/wire.md#building).
#pragma once

#include "keys.hpp"
#include "nfqws2/lua/host.hpp"
#include "nfqws2/packet/header_walk.hpp"

namespace nfqws2::lua {

// --- bytes to tables: each pushes one table; `keys` is the index from push_keys
// -------------------

void push_ipv4_table(lua_State* L, int keys, Bytes header);          // >= 20 bytes
void push_ipv6_table(lua_State* L, int keys, Bytes packet);          // >= 40 bytes
void push_tcp_table(lua_State* L, int keys, Bytes header);           // >= 20 bytes
void push_udp_table(lua_State* L, int keys, const std::uint8_t* p);  // 8 bytes
void push_icmp_table(lua_State* L, int keys, const std::uint8_t* p); // 8 bytes

// --- tables to structs
// ------------------------------------------------------------------------------

// Reads fields without running Lua code (metatables are not asked) and without raising errors.
// Strings are not copied: the bytes belong to the tables read and live as long as these are not
// changed.
class TableReader {
  public:
    explicit TableReader(lua_State* L) : L_(L), keys_(push_keys(L)) {}

    // Each takes the absolute index of the table and is false if a required field is bad.
    bool ipv4(int table, packet::Ipv4Fields& out);
    // A bad ip6_plen is told apart: it is a Lua error of its own.
    bool ipv6(int table, packet::Ipv6Fields& out, std::vector<packet::ExtensionField>& scratch,
              bool* bad_payload_len);
    bool tcp(int table, packet::TcpFields& out, std::span<packet::TcpOptionField> scratch);
    bool udp(int table, packet::UdpFields& out);
    bool icmp(int table, packet::IcmpFields& out);

    // Pushes table[key] and returns its Lua type.
    int push_field(int table, Key key);
    // A number, or a numeric string; anything else gives 0.
    std::uint64_t optional_number(int table, Key key);

  private:
    bool required_number(int table, Key key, std::uint64_t& out);
    bool required_string(int table, Key key, Bytes& out);
    template <typename T> bool required(int table, Key key, T& out);
    template <typename T> void optional(int table, Key key, T& out);
    template <std::size_t N> bool address(int table, Key key, std::array<std::uint8_t, N>& out);
    bool tcp_options(int list, std::span<packet::TcpOptionField> scratch, std::size_t& count);
    bool extensions(int list, std::vector<packet::ExtensionField>& out);

    lua_State* L_;
    int keys_;
};

// Reads the options of `reconstruct_*` at `index`, which holds nil, nothing or a table.
RebuildOptions read_rebuild_options(lua_State* L, int index);

// The packet in host.scratch, or the reason of the failure. `raises`: the reason is to be raised as
// it is; otherwise the Lua error is "invalid dissect data" and the reason goes to the log.
struct Rebuilt {
    Bytes packet;
    const char* error = nullptr; // in static memory or in host.rebuild_error
    bool raises = false;
};
Rebuilt rebuild(lua_State* L, Host& host, int index, const RebuildOptions& options);

// The same for native functions: failures are raised.
Bytes check_rebuild(lua_State* L, int index, const RebuildOptions& options);

} // namespace nfqws2::lua
