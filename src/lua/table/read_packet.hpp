// Lua tables to packets: into the plain structs that the packet room builds from
// (docs/contracts/wire.md#building), and the rebuild made of them.
#pragma once

#include "nfqws2/base/random.hpp"
#include "packet_scratch.hpp"
#include "table/keys.hpp"

namespace nfqws2::lua {

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
    bool tcp_options(int index, packet::TcpFields& out,
                     std::span<packet::TcpOptionField> scratch); // of whatever stands there
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
    bool list_of_options(int list, std::span<packet::TcpOptionField> scratch, std::size_t& count);
    bool extensions(int list, std::vector<packet::ExtensionField>& out);

    lua_State* L_;
    int keys_;
};

struct RebuildOptions {
    bool keepsum = false, badsum = false, ip6_preserve_next = false;
    bool last_proto_named = false; // ip6_last_proto was given, be it 59
    std::uint8_t ip6_last_proto = 59;
};
// Reads the options of `reconstruct_*` at the absolute `index`, which holds nil, nothing or a
// table.
RebuildOptions read_rebuild_options(lua_State* L, int index, int keys);

// The packet in the scratch buffer, or the reason of the failure. `raises`: the reason is to be
// raised as it is; otherwise the Lua error is "invalid dissect data" and the reason goes to the
// log.
struct Rebuilt {
    Bytes packet;
    const char* error = nullptr; // in static memory or in the scratch buffer
    bool raises = false;
};
// Rebuilds the packet described by the dissect table at `index`.
Rebuilt rebuild(lua_State* L, PacketScratch& scratch, Random& random, int index,
                const RebuildOptions& options);
// The same without raising a Lua error: bad types are reported as failure. Empty and *error then.
Bytes rebuild_protected(lua_State* L, PacketScratch& scratch, Random& random, int index,
                        const RebuildOptions& options, std::string* error);

} // namespace nfqws2::lua
