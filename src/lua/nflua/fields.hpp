// Numbers in runs of bits (docs/nflua.md#data): the work behind the fields of `data` objects.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <cstdint>
#include <optional>

namespace nfqws2::lua {

// A field of a layout. Numbers count in bits, texts in bytes.
struct DataField {
    static constexpr std::uint32_t max_offset = (1U << 27) - 1; // bits of 16 MB
    static constexpr std::uint32_t max_length = (1U << 24) - 1;

    std::uint32_t offset = 0, length = 0;
    bool text = false;
    bool little = false; // least significant byte first
};

// Fields go into numbers that any Lua holds exactly; each such number is a field, a bad one at
// worst.
double pack_field(const DataField& field);
DataField unpack_field(double packed);

// Nothing if the field is not within the bytes or has more than 64 bits. The most significant bit
// comes first, also within the bytes of a little endian number; what is no multiple of eight bits
// keeps the odd ones in its last byte.
std::optional<std::uint64_t> read_number(Bytes bytes, const DataField& field);
// The low bits of the value; false as above.
bool write_number(MutBytes bytes, const DataField& field, std::uint64_t value);

} // namespace nfqws2::lua
