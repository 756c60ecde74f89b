// The kinds of fields that a `desync` table and its sub-tables are made of. A kind is a C++ type:
// the form in which the structures of facts.hpp hold such a field. It also says its type in C, for
// the FFI, and what the compiled builder writes into the table: an expression of Lua in which `f`
// is the structure and % the name of the field (builder.lua.hpp has what else it may use). What the
// C API builder does with it stands in api_table.cpp.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/protocol/names.hpp"

#include <cstdint>
#include <string_view>

namespace nfqws2::lua {

using KindText = std::string_view;

// What only the compiled builder looks at; scripts do not see it.
struct Hidden {
    static constexpr KindText c_type = "uint32_t", lua = "";
    std::uint32_t value;
};
struct Address {
    static constexpr KindText c_type = "const uint8_t*", lua = "";
    const std::uint8_t* value;
};

struct Number {
    static constexpr KindText c_type = "uint32_t", lua = "f.%";
    std::uint32_t value;
};
struct OptionalNumber {
    static constexpr KindText c_type = "uint32_t", lua = "f.% ~= 0 and f.% or nil";
    std::uint32_t value; // 0 = absent
};
// A whole number that may be 0 and yet be there.
struct KnownNumber {
    static constexpr KindText c_type = "double", lua = "f.% >= 0 and f.% or nil";
    static constexpr double absent = -1;
    double value = absent;
};
// A whole number of more than 32 bits. The FFI would make an object of it, so it is held as Lua
// holds it.
struct Counter {
    static constexpr KindText c_type = "double", lua = "f.%";
    double value;
};
struct Real {
    static constexpr KindText c_type = "double", lua = "f.%";
    double value;
};

struct OptionalReal {
    static constexpr KindText c_type = "double", lua = "f.% ~= 0 and f.% or nil";
    double value; // 0 = absent
};

struct Boolean {
    static constexpr KindText c_type = "uint32_t", lua = "f.% ~= 0";
    std::uint32_t value;
};
struct OptionalBoolean {
    static constexpr KindText c_type = "uint32_t", lua = "known[f.%]";
    static constexpr std::uint32_t absent = 0, no = 1, yes = 2;
    std::uint32_t value;
};
constexpr OptionalBoolean known(bool value) {
    return {value ? OptionalBoolean::yes : OptionalBoolean::no};
}

// Names are interned once for all packets.
struct L7Name {
    static constexpr KindText c_type = "uint8_t", lua = "l7_names[f.%]";
    protocol::L7 value;
};
struct PayloadName {
    static constexpr KindText c_type = "uint8_t", lua = "payload_names[f.%]";
    protocol::Payload value;
};
// A text of the profile: its place in the list of DesyncTable, 0 = absent.
struct ProfileText {
    static constexpr KindText c_type = "uint32_t", lua = "profile_texts[f.%]";
    std::uint32_t value;
};
// The table of a flow that belongs to the scripts: its place in FlowStates.
struct FlowState {
    static constexpr KindText c_type = "uint32_t", lua = "states[f.%]";
    std::uint32_t value;
};
// Bits of the status of a connection (packet::ct_status_names), as a table of their names.
struct CtStatusBits {
    static constexpr KindText c_type = "double", lua = "f.% >= 0 and build_flags(f.%) or nil";
    double value = KnownNumber::absent;
};
struct Mss {
    static constexpr KindText c_type = "uint32_t", lua = "mss";
    static constexpr std::uint32_t absent = 0;
    static constexpr std::uint32_t of_global = 0x10000; // DEFAULT_MSS; no packet can say that
    std::uint32_t value;
};

} // namespace nfqws2::lua
