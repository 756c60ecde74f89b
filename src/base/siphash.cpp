#include "nfqws2/base/siphash.hpp"

#include "nfqws2/base/random.hpp"

#include <array>

namespace nfqws2 {

SipKey SipKey::random() {
    const std::unique_ptr<Random> source = make_secure_random();
    std::array<std::uint8_t, 16> bytes{};
    if (!source->fill_secure(bytes)) source->fill(bytes);
    return {load_be64(bytes.data()), load_be64(bytes.data() + 8)};
}

const SipKey& SipKey::of_process() {
    static const SipKey key = random();
    return key;
}

} // namespace nfqws2
