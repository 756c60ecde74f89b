// Order for what is few or seldom sorted. The library's algorithms are made anew for every type and
// every comparison, 1 to 12 kB each; here one sort of numbers serves all. What is large and awaited
// (lists, sets of networks) uses std::sort.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace nfqws2 {

// The numbers below `count` in the order of what they stand for; equal ones stay as they were.
// `less` says whether the first comes before the second, with `context` as it was given.
using NumberLess = bool (*)(const void* context, std::uint32_t a, std::uint32_t b);
std::vector<std::uint32_t> sorted_numbers(std::size_t count, const void* context, NumberLess less);

// Stable: equal items keep their order. At most 2^32 items.
template <class T, class Less = std::less<>>
void sort_stably(std::vector<T>& items, const Less& less = {}) {
    const std::pair<const T*, const Less*> context{items.data(), &less};
    const auto order = sorted_numbers(
        items.size(), &context, [](const void* given, std::uint32_t a, std::uint32_t b) {
            const auto& [first, before] = *static_cast<const decltype(context)*>(given);
            return (*before)(first[a], first[b]);
        });
    std::vector<T> sorted;
    sorted.reserve(items.size());
    for (const std::uint32_t number : order)
        sorted.push_back(std::move(items[number]));
    items = std::move(sorted);
}

} // namespace nfqws2
