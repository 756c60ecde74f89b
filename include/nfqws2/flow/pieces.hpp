// The packets that a merged one (GSO) stands for, by the payload that each but the last carries.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nfqws2::flow {

struct Pieces {
    std::uint32_t count = 1;
    std::uint32_t last = 0; // where the last one begins
};

// `piece_size` 0: the packet is not merged.
inline Pieces pieces_of(std::size_t payload_size, std::uint32_t piece_size) {
    if (piece_size == 0 || payload_size == 0) return {};
    const auto before_last = static_cast<std::uint32_t>((payload_size - 1) / piece_size);
    return {before_last + 1, before_last * piece_size};
}

} // namespace nfqws2::flow
