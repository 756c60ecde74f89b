#include "lua/nflua/fields.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

namespace nfqws2::lua {
namespace {

// What fields mean, said a bit at a time.
bool bit_at(Bytes bytes, std::uint32_t bit) {
    return (bytes[bit / 8] >> (7 - bit % 8) & 1) != 0;
}

std::vector<std::uint32_t> bits_from_the_highest(const DataField& field) {
    std::vector<std::uint32_t> bits;
    const auto add = [&](std::uint32_t from, std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; i++)
            bits.push_back(field.offset + from + i);
    };
    if (!field.little) {
        add(0, field.length);
        return bits;
    }
    std::uint32_t from = field.length;
    if (field.length % 8 != 0) {
        from -= field.length % 8;
        add(from, field.length % 8);
    }
    for (; from > 0; from -= 8)
        add(from - 8, 8);
    return bits;
}

std::uint64_t slow_read(Bytes bytes, const DataField& field) {
    std::uint64_t value = 0;
    for (const std::uint32_t bit : bits_from_the_highest(field))
        value = value << 1 | (bit_at(bytes, bit) ? 1 : 0);
    return value;
}

class Fields : public ::testing::Test {
  protected:
    static constexpr std::uint32_t size = 12;

    void fill(std::vector<std::uint8_t>& bytes) {
        for (std::uint8_t& byte : bytes)
            byte = static_cast<std::uint8_t>(dice());
    }
    std::mt19937_64 dice{20260101};
};

TEST_F(Fields, AreReadAndWrittenAtEveryPlaceAndWidth) {
    std::vector<std::uint8_t> bytes(size);
    for (std::uint32_t length = 1; length <= 64; length++) {
        for (std::uint32_t offset = 0; offset + length <= size * 8; offset++) {
            for (const bool little : {false, true}) {
                const DataField field{offset, length, false, little};
                fill(bytes);
                ASSERT_EQ(read_number(bytes, field), slow_read(bytes, field))
                    << offset << " " << length << " " << little;
                const std::vector<std::uint8_t> before = bytes;
                const std::uint64_t value = dice();
                ASSERT_TRUE(write_number(bytes, field, value));
                const std::uint64_t mask = length == 64 ? ~0ULL : (1ULL << length) - 1;
                ASSERT_EQ(slow_read(bytes, field), value & mask)
                    << offset << " " << length << " " << little;
                for (std::uint32_t bit = 0; bit < size * 8; bit++) {
                    if (bit < offset || bit >= offset + length) {
                        ASSERT_EQ(bit_at(bytes, bit), bit_at(before, bit)) << bit;
                    }
                }
            }
        }
    }
}

TEST_F(Fields, BeyondTheBytesAreNone) {
    const std::array<std::uint8_t, 4> bytes{0xaa, 0xbb, 0xcc, 0xdd};
    EXPECT_EQ(read_number(bytes, {20, 9, false, false}), 0x19BU);
    EXPECT_EQ(read_number(bytes, {0, 16, false, true}), 0xbbaaU);
    EXPECT_FALSE(read_number(bytes, {32, 1, false, false}));
    EXPECT_FALSE(read_number(bytes, {25, 8, false, false}));
    EXPECT_FALSE(read_number(bytes, {0, 0, false, false}));
    EXPECT_FALSE(read_number({}, {0, 1, false, false}));
    const std::vector<std::uint8_t> many(100);
    EXPECT_FALSE(read_number(many, {0, 65, false, false}));
    EXPECT_FALSE(read_number(many, {DataField::max_offset, DataField::max_length, false, true}));
}

TEST_F(Fields, ArePackedIntoNumbers) {
    for (const DataField& field :
         {DataField{}, DataField{1, 2, true, false}, DataField{3, 4, false, true},
          DataField{DataField::max_offset, DataField::max_length, true, true}}) {
        const DataField back = unpack_field(pack_field(field));
        EXPECT_EQ(back.offset, field.offset);
        EXPECT_EQ(back.length, field.length);
        EXPECT_EQ(back.text, field.text);
        EXPECT_EQ(back.little, field.little);
    }
    for (const double junk : {-1.0, 1e300, 0.5, 9007199254740992.0})
        EXPECT_FALSE(read_number({}, unpack_field(junk)));
}

} // namespace
} // namespace nfqws2::lua
