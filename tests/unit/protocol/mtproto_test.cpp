#include "nfqws2/protocol/mtproto.hpp"

#include "samples.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol::test {
namespace {

// Key, counter block and tag of a recorded session; the key stream over the tag is d57d26c4.
Buffer worked_example() {
    Buffer data(8, 0x42);
    for (const char* part : {"ee1bccc59630c80f005928e76418c2b24ea10c99ecd5255e896356ccefd72988",
                             "5290810fdd081bc1bdaa60c2a86f997e", "3a92c92b"}) {
        const Buffer more = hex(part);
        data.insert(data.end(), more.begin(), more.end());
    }
    data.resize(64, 0x42);
    return data;
}

TEST(Mtproto, WorkedExample) {
    EXPECT_TRUE(is_mtproto_initial(worked_example()));
    EXPECT_FALSE(is_mtproto_initial(Bytes(worked_example()).first(63)));
}

TEST(Mtproto, OtherTagsAreNotRecognised) {
    for (const std::uint8_t tag : Buffer{0xEE, 0xDD}) {
        Buffer data = worked_example();
        for (std::size_t i = 56; i < 60; ++i)
            data[i] = static_cast<std::uint8_t>(data[i] ^ 0xEF ^ tag);
        EXPECT_FALSE(is_mtproto_initial(data));
    }
}

TEST(Mtproto, EveryTagByteCounts) {
    for (std::size_t i = 56; i < 60; ++i) {
        Buffer data = worked_example();
        data[i] ^= 1;
        EXPECT_FALSE(is_mtproto_initial(data)) << i;
    }
}

TEST(Mtproto, CounterCarriesThroughAllBytes) {
    EXPECT_TRUE(is_mtproto_initial(sample_payload("mtproto_ctr_carry")));
}

} // namespace
} // namespace nfqws2::protocol::test
