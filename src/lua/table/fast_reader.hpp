// The compiled way from a dissect table to a Blueprint, for the tables that scripts usually send:
// of IPv4 or IPv6 with TCP or UDP, without IP options, extension headers and metatables, and with
// fields of their natural types. Everything else is left to TableReader (read_packet.cpp), which
// says what fields mean. With the C API a field costs 170 instructions, here ten.
#pragma once

#include "nfqws2/lua/compiler.hpp"
#include "nfqws2/lua/lua.hpp"
#include "nfqws2/packet/reconstruct.hpp"

#include <array>

namespace nfqws2::lua {

class FastReader {
  public:
    // Loads the function if the engine has what it takes. As long as the FFI is there. `compiler`
    // tells whether it is worth calling, and lives as long as this.
    void open(lua_State* L, const Compiler& compiler);
    // Fills everything but plan.tcp.options, whose table (or whatever stands in its place) is left
    // on the stack if there is TCP, and nothing else. False: nothing was done, use TableReader. May
    // raise an error. Strings are not copied, and not kept: options are read raw and without a new
    // string, so that no script runs before the packet is built.
    bool read(lua_State* L, int dis, packet::Blueprint& plan);

  private:
    // What the function writes.
    struct Fields {
        std::array<double, 16> numbers;
        std::array<const char*, 3> texts;
        std::array<std::uint32_t, 1> sizes;
    };
    void take_ip(packet::Blueprint& plan) const;
    void take_transport(packet::Blueprint& plan) const;
    template <typename T> T number(std::size_t place) const;

    const Compiler* compiler_ = nullptr;
    int function_ref_ = LUA_NOREF;
    Fields fields_{};
};

} // namespace nfqws2::lua
