#include "nfqws2/flow/reassembly.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

namespace nfqws2::flow {
namespace {

using Kind = Reassembly::Kind;
using Data = std::vector<std::uint8_t>;

Data message(std::size_t size) {
    Data d(size);
    for (std::size_t i = 0; i < size; i++)
        d[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
    return d;
}
Data contents(const Reassembly& r) {
    return {r.data().begin(), r.data().end()};
}

class ReassemblyTest : public ::testing::Test {
  protected:
    static constexpr std::uint32_t first = 1001;
    // Feeds [from, from + count) of the message at its place.
    std::optional<Reassembly::News> feed(std::size_t from, std::size_t count) {
        return r.feed(first + static_cast<std::uint32_t>(from), clipped(hello, from, count));
    }
    Data hello = message(1115);
    Reassembly r{Kind::tls_client_hello, 1115, first};
};

TEST_F(ReassemblyTest, WorkedExample) {
    EXPECT_TRUE(feed(0, 400));
    EXPECT_EQ(r.present(), 400U);
    EXPECT_TRUE(feed(400, 400));
    EXPECT_TRUE(feed(400, 400)); // repeated
    EXPECT_EQ(r.present(), 800U);
    EXPECT_FALSE(r.complete());
    EXPECT_TRUE(feed(800, 315));
    EXPECT_TRUE(r.complete());
    EXPECT_EQ(contents(r), hello);
    EXPECT_EQ(r.target(), 1115U);
    EXPECT_EQ(r.kind(), Kind::tls_client_hello);
}

TEST_F(ReassemblyTest, SequenceWrap) {
    Reassembly w(Kind::tls_client_hello, 1115, 0xFFFFFF01);
    EXPECT_TRUE(w.feed(0xFFFFFF01, clipped(hello, 0, 400)));
    EXPECT_TRUE(w.feed(145, clipped(hello, 400)));
    EXPECT_EQ(contents(w), hello);
}

TEST_F(ReassemblyTest, NewDataOverwritesOld) {
    EXPECT_TRUE(feed(0, 400));
    const Data other(100, 0xEE);
    EXPECT_TRUE(r.feed(first + 50, other));
    EXPECT_EQ(r.present(), 400U);
    EXPECT_EQ(r.data()[49], hello[49]);
    EXPECT_EQ(r.data()[50], 0xEE);
    EXPECT_EQ(r.data()[149], 0xEE);
    EXPECT_EQ(r.data()[150], hello[150]);
}

TEST_F(ReassemblyTest, OverlapGrowsByWhatIsNew) {
    EXPECT_TRUE(feed(0, 400));
    EXPECT_TRUE(feed(300, 300));
    EXPECT_EQ(r.present(), 600U);
    EXPECT_TRUE(std::equal(r.data().begin(), r.data().end(), hello.begin()));
}

TEST_F(ReassemblyTest, BytesBeforeTheStartAreIgnored) {
    EXPECT_TRUE(feed(0, 100));
    const Data before(60, 0xEE);
    EXPECT_TRUE(r.feed(first - 200, before)); // wholly before
    EXPECT_EQ(r.present(), 100U);
    EXPECT_TRUE(r.feed(first - 50, before)); // ten bytes inside
    EXPECT_EQ(r.data()[9], 0xEE);
    EXPECT_EQ(r.data()[10], hello[10]);
    EXPECT_EQ(r.present(), 100U);
}

// The reference fails here.
TEST_F(ReassemblyTest, BytesBehindTheMessageAreIgnored) {
    EXPECT_TRUE(feed(0, 400));
    Data rest(hello.begin() + 400, hello.end());
    rest.resize(rest.size() + 6, 0xEE);
    EXPECT_TRUE(r.feed(first + 400, rest));
    EXPECT_TRUE(r.complete());
    EXPECT_EQ(contents(r), hello);
    EXPECT_TRUE(r.feed(first + 1115, rest)); // wholly behind
    EXPECT_EQ(contents(r), hello);
}

TEST_F(ReassemblyTest, OutOfOrderSegmentsAreJoined) {
    EXPECT_TRUE(feed(0, 100));
    EXPECT_TRUE(feed(300, 100));
    EXPECT_TRUE(feed(900, 215));
    EXPECT_EQ(r.present(), 100U);
    EXPECT_EQ(r.data().size(), 100U);
    EXPECT_TRUE(feed(100, 200)); // closes the first gap
    EXPECT_EQ(r.present(), 400U);
    EXPECT_TRUE(feed(400, 500));
    EXPECT_TRUE(r.complete());
    EXPECT_EQ(contents(r), hello);
}

TEST_F(ReassemblyTest, TooManyGapsFail) {
    Reassembly big(Kind::tls_client_hello, 16384, first);
    const Data byte(1, 'x');
    for (std::uint32_t i = 0; i < 32; i++)
        ASSERT_TRUE(big.feed(first + 10 + 4 * i, byte)) << i;
    EXPECT_FALSE(big.feed(first + 10 + 4 * 32, byte));
    EXPECT_TRUE(big.feed(first + 11, byte)); // lengthens a piece
}

TEST_F(ReassemblyTest, DistanceLimits) {
    const Data byte(1, 'x');
    EXPECT_TRUE(feed(0, 100));
    const std::uint32_t next = first + 100;
    EXPECT_FALSE(r.feed(next + 0x100000, byte));
    EXPECT_TRUE(r.feed(next + 0xFFFFF, byte));  // inside the limit, but behind the message
    EXPECT_TRUE(r.feed(next - 0x100000, byte)); // before it
    EXPECT_FALSE(r.feed(next - 0x100001, byte));
    EXPECT_EQ(r.present(), 100U);
}

TEST_F(ReassemblyTest, TargetIsBounded) {
    Reassembly big(Kind::tls_client_hello, 1 << 20, 0);
    EXPECT_EQ(big.target(), max_message);
    EXPECT_TRUE(big.feed(0, message(60'000)));
    EXPECT_EQ(big.present(), max_message);
    EXPECT_TRUE(big.complete());
}

TEST_F(ReassemblyTest, AppendUpToTheTarget) {
    Reassembly q(Kind::quic_initial, 16384, 0);
    EXPECT_TRUE(q.append(message(10'000)));
    EXPECT_TRUE(q.append({}));
    EXPECT_FALSE(q.append(message(6'385)));
    EXPECT_EQ(q.present(), 10'000U);
    EXPECT_TRUE(q.append(message(6'384)));
    EXPECT_TRUE(q.complete());
    EXPECT_EQ(q.data()[10'000], message(1)[0]);
}

TEST_F(ReassemblyTest, EmptySegmentChangesNothing) {
    EXPECT_TRUE(r.feed(first, {}));
    EXPECT_TRUE(r.feed(first + 50, {}));
    EXPECT_EQ(r.present(), 0U);
    EXPECT_FALSE(r.complete());
}

// Any cutting, order and repetition gives the message, as long as no limit is hit.
TEST_F(ReassemblyTest, RandomOrder) {
    std::mt19937 random(3);
    for (int round = 0; round < 300; round++) {
        std::vector<std::pair<std::size_t, std::size_t>> pieces;
        for (std::size_t at = 0; at < hello.size();) {
            const std::size_t n = std::min<std::size_t>(40 + random() % 200, hello.size() - at);
            pieces.emplace_back(at, n + random() % 30);
            if (random() % 4 == 0) pieces.push_back(pieces.back());
            at += n;
        }
        std::shuffle(pieces.begin(), pieces.end(), random);
        Reassembly any(Kind::tls_client_hello, hello.size(), 0xFFFFFE00);
        for (const auto& [from, count] : pieces)
            ASSERT_TRUE(any.feed(0xFFFFFE00 + static_cast<std::uint32_t>(from),
                                 clipped(hello, from, count)));
        ASSERT_EQ(contents(any), hello);
    }
}

} // namespace
} // namespace nfqws2::flow
