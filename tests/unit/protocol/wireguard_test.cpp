#include "nfqws2/protocol/wireguard.hpp"

#include "samples.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol::test {
namespace {

Buffer wireguard_message(std::uint8_t type, std::size_t size) {
    Buffer data(size, 0xAB);
    data[0] = type;
    data[1] = data[2] = data[3] = 0;
    return data;
}

struct Row {
    bool (*matches)(Bytes);
    std::uint8_t type;
    std::size_t size;
};

TEST(Wireguard, TypesHaveExactSizes) {
    for (const Row& row : {Row{is_wireguard_initiation, 1, 148}, Row{is_wireguard_response, 2, 92},
                           Row{is_wireguard_cookie, 3, 64}, Row{is_wireguard_keepalive, 4, 32}}) {
        EXPECT_TRUE(row.matches(wireguard_message(row.type, row.size)));
        EXPECT_FALSE(row.matches(wireguard_message(row.type, row.size - 1)));
        EXPECT_FALSE(row.matches(wireguard_message(row.type, row.size + 1)));
        EXPECT_FALSE(row.matches(wireguard_message(5, row.size)));
        for (std::size_t reserved = 1; reserved < 4; ++reserved) {
            Buffer bad = wireguard_message(row.type, row.size);
            bad[reserved] = 1;
            EXPECT_FALSE(row.matches(bad)) << reserved;
        }
        EXPECT_FALSE(row.matches({}));
    }
}

TEST(Wireguard, DataOfAtLeast52Bytes) {
    EXPECT_TRUE(is_wireguard_data(wireguard_message(4, 52)));
    EXPECT_TRUE(is_wireguard_data(wireguard_message(4, 1400)));
    EXPECT_FALSE(is_wireguard_data(wireguard_message(4, 51)));
    Buffer bad = wireguard_message(4, 80);
    bad[2] = 1;
    EXPECT_FALSE(is_wireguard_data(bad));
}

} // namespace
} // namespace nfqws2::protocol::test
