// Takes numbers and pieces from an input. Behind its end there are zeros.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <algorithm>
#include <cstdint>

namespace nfqws2::fuzz {

struct Reader {
    Bytes rest;

    std::uint8_t u8() {
        if (rest.empty()) return 0;
        const std::uint8_t v = rest[0];
        rest = rest.subspan(1);
        return v;
    }
    std::uint16_t u16() {
        const unsigned high = u8();
        return static_cast<std::uint16_t>(high << 8 | u8());
    }
    std::uint32_t u32() {
        const std::uint32_t high = u16();
        return high << 16 | u16();
    }
    Bytes take(std::size_t size) {
        size = std::min(size, rest.size());
        const Bytes part = rest.first(size);
        rest = rest.subspan(size);
        return part;
    }
};

} // namespace nfqws2::fuzz
