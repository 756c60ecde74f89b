// In-place radix sort of address keys, most significant byte first ("American flag"). Needs no
// second array, which matters when the list is most of a router's memory.
#pragma once

#include "ip2net/net_key.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace nfqws2::tools {

namespace detail {

template <class Key>
void place_by_byte(std::span<Key> keys, unsigned level,
                   const std::array<std::size_t, 257>& bounds) {
    std::array<std::size_t, 256> next;
    std::copy_n(bounds.begin(), 256, next.begin());
    for (unsigned bucket = 0; bucket < 256; bucket++) {
        while (next[bucket] < bounds[bucket + 1]) {
            Key key = keys[next[bucket]];
            unsigned home = key.byte(level);
            while (home != bucket) {
                std::swap(key, keys[next[home]++]);
                home = key.byte(level);
            }
            keys[next[bucket]++] = key;
        }
    }
}

// Recurses once per byte of the key at most.
template <class Key> void radix_sort(std::span<Key> keys, unsigned level) {
    constexpr std::size_t small = 96; // below this counting costs more than comparing
    if (keys.size() < small || level == Key::width / 8) {
        std::sort(keys.begin(), keys.end());
        return;
    }
    std::array<std::size_t, 257> bounds{};
    for (const Key& key : keys)
        bounds[key.byte(level) + 1]++;
    for (unsigned i = 0; i < 256; i++)
        bounds[i + 1] += bounds[i];
    place_by_byte(keys, level, bounds);
    for (unsigned i = 0; i < 256; i++) {
        const std::size_t count = bounds[i + 1] - bounds[i];
        if (count > 1) radix_sort(keys.subspan(bounds[i], count), level + 1);
    }
}

} // namespace detail

template <class Key> void sort_unique(std::vector<Key>& keys) {
    // Lists that come from a previous run are in order already.
    if (!std::is_sorted(keys.begin(), keys.end())) detail::radix_sort(std::span<Key>(keys), 0);
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
}

} // namespace nfqws2::tools
