// The match `seq`: bytes within a part of a packet.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "program.hpp"

#include <algorithm>
#include <functional>

namespace nfqws2::rules {

// Found wholly within the offsets; several times, without overlap and at a distance, if asked.
inline bool holds_sequence(Bytes part, const test::Sequence& test) {
    if (part.size() <= test.range.low) return false;
    const Bytes area = part.subspan(
        test.range.low,
        std::min<std::size_t>(part.size(), std::size_t{test.range.high} + 1) - test.range.low);
    const std::uint32_t wanted = std::max(test.repeat, 1U);
    std::uint32_t found = 0;
    auto from = area.begin();
    while (true) {
        const auto at = std::search(from, area.end(), test.bytes.begin(), test.bytes.end());
        if (at == area.end()) return false;
        if (++found == wanted) return true;
        const std::size_t step = test.bytes.size() + test.distance;
        if (static_cast<std::size_t>(area.end() - at) <= step) return false;
        from = at + static_cast<std::ptrdiff_t>(step);
    }
}

} // namespace nfqws2::rules
