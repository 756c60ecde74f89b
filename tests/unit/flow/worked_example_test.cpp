// The worked example (docs/contracts/flows.md#worked-example), row by row. Three values differ on
// purpose from the reference; each is marked "ours".
#include "nfqws2/flow/connection_table.hpp"
#include "nfqws2/flow/range.hpp"
#include "packets.hpp"

#include <gtest/gtest.h>

#include <array>

namespace nfqws2::flow::test {
namespace {

using Counts = std::array<std::uint64_t, 3>;  // n d b
using Places = std::array<std::uint32_t, 5>;  // seq rseq pos uppos uppos_prev
using Windows = std::array<std::uint32_t, 4>; // win calc scale mss

Counts counts(const SidePositions& s) {
    return {s.pcounter, s.pdcounter, s.pbcounter};
}
Places places(const SidePositions& s) {
    return {s.seq, s.rseq(), s.rpos(), s.uppos - s.seq0, s.uppos_prev - s.seq0};
}
Windows windows(const SidePositions& s) {
    return {s.winsize, s.winsize_calc, s.scale, s.mss};
}

class WorkedExample : public ::testing::Test {
  protected:
    Positions feed(const Packet& packet) {
        const ConnectionTable::Found found = table.feed(dissected(packet));
        EXPECT_TRUE(found);
        if (!found) return {};
        track = found.track;
        reverse = found.reverse;
        return track->positions();
    }
    Positions client(const Segment& s) { return feed(tcp(ends, s)); }
    Positions server(const Segment& s) { return feed(tcp(ends.reversed(), s)); }

    VirtualClock clock{5'000'000'000};
    ConnectionTable table{TableOptions{}, clock};
    Ends ends;
    Track* track = nullptr;
    bool reverse = false;
};

TEST_F(WorkedExample, RowByRow) {
    Positions p = client({tf::syn, 1000, 0, 64240, syn_options(1460, 7), 0});
    EXPECT_FALSE(reverse);
    EXPECT_EQ(counts(p.client), (Counts{1, 0, 0}));
    EXPECT_EQ(places(p.client), (Places{1000, 0, 0, 0, 0}));
    EXPECT_EQ(windows(p.client), (Windows{64240, 64240, 7, 1460}));
    EXPECT_EQ(counts(p.server), (Counts{0, 0, 0}));
    EXPECT_EQ(places(p.server), (Places{0, 0, 0, 0, 0}));
    EXPECT_EQ(p.server.seq0, 0U);
    EXPECT_EQ(windows(p.server), (Windows{0, 0, 0, 0}));
    EXPECT_EQ(track->common_mss(), 0); // DEFAULT_MSS (1220) is shown instead

    p = server({tf::syn | tf::ack, 5000, 1001, 65535, syn_options(1400, 8), 0});
    EXPECT_TRUE(reverse);
    EXPECT_EQ(counts(p.client), (Counts{1, 0, 0}));
    EXPECT_EQ(places(p.client), (Places{1001, 1, 1, 0, 0}));
    EXPECT_EQ(windows(p.client), (Windows{64240, 64240, 7, 1460}));
    EXPECT_EQ(counts(p.server), (Counts{1, 0, 0}));
    EXPECT_EQ(places(p.server), (Places{5000, 0, 0, 0, 0}));
    EXPECT_EQ(p.server.seq0, 5000U);
    EXPECT_EQ(windows(p.server), (Windows{65535, 65535, 8, 1400}));
    EXPECT_EQ(track->common_mss(), 1400);
    EXPECT_EQ(track->state(), TcpState::syn);

    p = client({tf::ack, 1001, 5001, 502, {}, 0});
    EXPECT_EQ(track->state(), TcpState::established);
    EXPECT_EQ(counts(p.client), (Counts{2, 0, 0}));
    EXPECT_EQ(places(p.client), (Places{1001, 1, 1, 0, 0}));
    EXPECT_EQ(windows(p.client), (Windows{502, 64256, 7, 1460}));
    EXPECT_EQ(counts(p.server), (Counts{1, 0, 0}));
    EXPECT_EQ(places(p.server), (Places{5001, 1, 1, 0, 0}));
    EXPECT_EQ(windows(p.server), (Windows{65535, 65535, 8, 1400}));

    p = client({tf::ack | tf::psh, 1001, 5001, 502, {}, 100});
    EXPECT_EQ(counts(p.client), (Counts{3, 1, 100}));
    EXPECT_EQ(places(p.client), (Places{1001, 1, 101, 101, 0}));
    EXPECT_FALSE(track->is_retransmission());

    p = client({tf::ack | tf::psh, 1001, 5001, 502, {}, 100});
    EXPECT_EQ(counts(p.client), (Counts{4, 2, 200}));
    EXPECT_EQ(places(p.client), (Places{1001, 1, 101, 101, 101}));
    EXPECT_TRUE(track->is_retransmission());

    p = client({tf::ack | tf::psh, 1101, 5001, 502, {}, 10});
    EXPECT_EQ(counts(p.client), (Counts{5, 3, 210}));
    EXPECT_EQ(places(p.client), (Places{1101, 101, 111, 111, 101}));
    EXPECT_FALSE(track->is_retransmission());

    p = server({tf::ack, 5001, 1111, 300, {}, 50});
    EXPECT_EQ(counts(p.client), (Counts{5, 3, 210}));
    EXPECT_EQ(places(p.client), (Places{1111, 111, 111, 111, 101}));
    EXPECT_EQ(counts(p.server), (Counts{2, 1, 50}));
    EXPECT_EQ(places(p.server), (Places{5001, 1, 51, 51, 0}));
    EXPECT_EQ(windows(p.server), (Windows{300, 76800, 8, 1400}));

    p = client({tf::ack, 1110, 5051, 502, {}, 0});
    EXPECT_EQ(counts(p.client), (Counts{6, 3, 210}));
    EXPECT_EQ(places(p.client), (Places{1110, 110, 110, 111, 101}));
    EXPECT_EQ(counts(p.server), (Counts{2, 1, 50}));
    EXPECT_EQ(places(p.server), (Places{5051, 51, 51, 51, 0}));

    p = server({tf::rst, 5051, 0, 0, {}, 0});
    EXPECT_EQ(track->state(), TcpState::fin);
    EXPECT_EQ(counts(p.client), (Counts{6, 3, 210}));
    // ours: no ACK flag, so the acknowledgement of 0 says nothing (reference: 0, 4294966296, 2G)
    EXPECT_EQ(places(p.client), (Places{1110, 110, 110, 111, 101}));
    EXPECT_FALSE(p.client.rseq_over_2g);
    EXPECT_EQ(counts(p.server), (Counts{3, 1, 50}));
    EXPECT_EQ(places(p.server), (Places{5051, 51, 51, 51, 0}));
    EXPECT_EQ(windows(p.server), (Windows{0, 0, 8, 1400}));

    p = client({tf::syn, 9000, 0, 64240, mss_option(1460), 0});
    EXPECT_EQ(track->state(), TcpState::syn);
    EXPECT_EQ(counts(p.client), (Counts{1, 0, 0})); // ours: reset first (reference: 0 0 0)
    EXPECT_EQ(places(p.client), (Places{9000, 0, 0, 0, 0}));
    EXPECT_EQ(windows(p.client), (Windows{64240, 64240, 0, 1460}));
    EXPECT_EQ(counts(p.server), (Counts{0, 0, 0}));
    EXPECT_EQ(places(p.server), (Places{0, 0, 0, 0, 0}));
    EXPECT_EQ(windows(p.server), (Windows{0, 0, 0, 0}));

    p = client({tf::ack, 9001, 7001, 502, {}, 0});
    EXPECT_EQ(counts(p.client), (Counts{2, 0, 0})); // follows from the row above
    EXPECT_EQ(places(p.client), (Places{9001, 1, 1, 0, 0}));
    EXPECT_EQ(windows(p.client), (Windows{502, 502, 0, 1460}));
    // ours: uppos begins at seq0 (reference: absolute 0, shown as 4294960296)
    EXPECT_EQ(places(p.server), (Places{7001, 1, 1, 0, 0}));
    EXPECT_EQ(p.server.seq0, 7000U);
}

// A recorded example.
TEST_F(WorkedExample, RequestOf41Bytes) {
    client({tf::syn, 1'000'000'000, 0, 64240, syn_options(1460, 10), 0});
    server({tf::syn | tf::ack, 2'000'000'000, 1'000'000'001, 65160, syn_options(1460, 10), 0});
    client({tf::ack, 1'000'000'001, 2'000'000'001, 63, {}, 0});
    const Positions p = client({tf::ack | tf::psh, 1'000'000'001, 2'000'000'001, 63, {}, 41});
    EXPECT_EQ(counts(p.client), (Counts{3, 1, 41}));
    EXPECT_EQ(places(p.client), (Places{1'000'000'001, 1, 42, 42, 0}));
    EXPECT_EQ(windows(p.client), (Windows{63, 64512, 10, 1460}));
}

TEST_F(WorkedExample, Ranges) {
    const Range one = parse_range("n2-d1").value(), two = parse_range("s1<s200").value();
    const Range never = Range::never();
    enum { out_of, runs, beyond };
    const auto outcome = [](const Range& r, const SidePositions& s) {
        if (beyond_range(r, &s)) return beyond;
        return in_range(r, &s) ? runs : out_of;
    };
    Positions p = client({tf::syn, 1000, 0, 64240, {}, 0});
    EXPECT_EQ(outcome(one, p.client), out_of);
    EXPECT_EQ(outcome(two, p.client), out_of);
    p = server({tf::syn | tf::ack, 5000, 1001, 65535, {}, 0});
    EXPECT_EQ(outcome(never, p.server), beyond);
    p = client({tf::ack, 1001, 5001, 502, {}, 0});
    EXPECT_EQ(outcome(one, p.client), runs);
    EXPECT_EQ(outcome(two, p.client), runs);
    p = client({tf::ack, 1001, 5001, 502, {}, 100});
    EXPECT_EQ(outcome(one, p.client), runs);
    EXPECT_EQ(outcome(two, p.client), runs);
    p = client({tf::ack, 1101, 5001, 502, {}, 99});
    EXPECT_EQ(outcome(one, p.client), beyond);
    EXPECT_EQ(outcome(two, p.client), runs);
    p = client({tf::ack, 1200, 5001, 502, {}, 10});
    EXPECT_EQ(outcome(one, p.client), beyond);
    EXPECT_EQ(outcome(two, p.client), beyond);
}

} // namespace
} // namespace nfqws2::flow::test
