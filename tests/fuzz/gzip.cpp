// Inflating with a limit; the result never exceeds it.
#include "nfqws2/base/file.hpp"

#include <cstdlib>

using namespace nfqws2;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    constexpr std::size_t limit = 1 << 20;
    const ReadResult r = gunzip({raw, size}, limit);
    if (r.data.size() > limit || (!r.ok() && !r.data.empty())) std::abort();
    if (r.ok() && !is_gzip({raw, size})) std::abort();
    return 0;
}
