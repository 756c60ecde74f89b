#include "nfqws2/flow/siphash.hpp"

#include "nfqws2/base/random.hpp"

#include <array>

namespace nfqws2::flow {

SipKey SipKey::random() {
    const std::unique_ptr<Random> source = make_secure_random();
    std::array<std::uint8_t, 16> bytes{};
    if (!source->fill_secure(bytes)) source->fill(bytes);
    return {load_be64(bytes.data()), load_be64(bytes.data() + 8)};
}

} // namespace nfqws2::flow
