#include "nfqws2/base/sort.hpp"

#include <algorithm>
#include <numeric>

namespace nfqws2 {

std::vector<std::uint32_t> sorted_numbers(std::size_t count, const void* context, NumberLess less) {
    std::vector<std::uint32_t> numbers(count);
    std::iota(numbers.begin(), numbers.end(), std::uint32_t{0});
    std::sort(numbers.begin(), numbers.end(), [&](std::uint32_t a, std::uint32_t b) {
        return less(context, a, b) || (a < b && !less(context, b, a));
    });
    return numbers;
}

} // namespace nfqws2
