// Lines of the files of stores, which people edit: what is read is written again as the same line.
#include "nfqws2/store/record.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace nfqws2::store;
    const auto record = from_line({reinterpret_cast<const char*>(data), size});
    if (!record) return 0;
    const auto again = from_line(to_line(*record));
    if (!again || again->key != record->key || again->fields != record->fields ||
        again->written != record->written || again->ttl != record->ttl)
        std::abort();
    const Fields fields = unpack_fields(record->fields);
    auto views = views_of(fields);
    if (why_bad_fields(views) != nullptr || pack_fields(views) != record->fields) std::abort();
    return 0;
}
