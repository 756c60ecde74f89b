#include "nflua/fields.hpp"

#include <algorithm>

namespace nfqws2::lua {

namespace {

constexpr std::uint32_t byte_bits = 8, most_bits = 64;
constexpr unsigned length_bits = 24, flag_bits = 2;

bool fits(std::size_t bytes, const DataField& field) {
    const std::uint64_t end = std::uint64_t{field.offset} + field.length;
    return field.length >= 1 && field.length <= most_bits && end <= std::uint64_t{bytes} * 8;
}

// A part of a number within one byte.
struct Piece {
    std::size_t byte;
    std::uint32_t bits, shift; // how many, and how far from the byte's lowest

    Piece(std::uint32_t at, std::uint32_t end)
        : byte(at / byte_bits), bits(std::min(byte_bits - at % byte_bits, end - at)),
          shift(byte_bits - at % byte_bits - bits) {}
    unsigned mask() const { return (1U << bits) - 1; }
};

std::uint64_t read_big(Bytes bytes, std::uint32_t at, std::uint32_t length) {
    std::uint64_t value = 0;
    for (const std::uint32_t end = at + length; at < end;) {
        const Piece piece(at, end);
        value = value << piece.bits | (bytes[piece.byte] >> piece.shift & piece.mask());
        at += piece.bits;
    }
    return value;
}

void write_big(MutBytes bytes, std::uint32_t at, std::uint32_t length, std::uint64_t value) {
    for (const std::uint32_t end = at + length; at < end;) {
        const Piece piece(at, end);
        at += piece.bits;
        const unsigned mask = piece.mask() << piece.shift;
        const unsigned bits = static_cast<unsigned>(value >> (end - at)) << piece.shift & mask;
        bytes[piece.byte] = static_cast<std::uint8_t>((bytes[piece.byte] & ~mask) | bits);
    }
}

} // namespace

double pack_field(const DataField& field) {
    std::uint64_t packed = field.offset;
    packed = packed << length_bits | field.length;
    packed = packed << flag_bits | (field.text ? 2U : 0U) | (field.little ? 1U : 0U);
    return static_cast<double>(packed);
}

DataField unpack_field(double packed) {
    constexpr double limit = 9007199254740992; // 2^53
    if (!(packed >= 0 && packed < limit)) return {};
    auto rest = static_cast<std::uint64_t>(packed);
    DataField field;
    field.little = (rest & 1) != 0;
    field.text = (rest & 2) != 0;
    rest >>= flag_bits;
    field.length = static_cast<std::uint32_t>(rest & DataField::max_length);
    field.offset = static_cast<std::uint32_t>(rest >> length_bits);
    return field;
}

std::optional<std::uint64_t> read_number(Bytes bytes, const DataField& field) {
    if (!fits(bytes.size(), field)) return std::nullopt;
    if (!field.little) return read_big(bytes, field.offset, field.length);
    std::uint64_t value = 0;
    for (std::uint32_t done = 0; done < field.length; done += byte_bits)
        value |= read_big(bytes, field.offset + done, std::min(byte_bits, field.length - done))
                 << done;
    return value;
}

bool write_number(MutBytes bytes, const DataField& field, std::uint64_t value) {
    if (!fits(bytes.size(), field)) return false;
    if (!field.little) {
        write_big(bytes, field.offset, field.length, value);
        return true;
    }
    for (std::uint32_t done = 0; done < field.length; done += byte_bits)
        write_big(bytes, field.offset + done, std::min(byte_bits, field.length - done),
                  value >> done);
    return true;
}

} // namespace nfqws2::lua
