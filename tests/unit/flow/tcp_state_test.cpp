#include "flow/tcp_state.hpp"

#include "nfqws2/flow/connection_table.hpp"
#include "packets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace nfqws2::flow::test {
namespace {

class TcpStateTest : public ::testing::Test {
  protected:
    Positions feed(const Packet& packet) {
        const ConnectionTable::Found found = table.feed(dissected(packet));
        EXPECT_TRUE(found);
        if (!found) return {};
        track = found.track;
        return track->positions();
    }
    Positions client(const Segment& s) { return feed(tcp(ends, s)); }
    Positions server(const Segment& s) { return feed(tcp(ends.reversed(), s)); }
    // A flow whose three handshake packets were seen.
    Positions open(std::uint32_t c, std::uint32_t s) {
        client({tf::syn, c, 0, 1000, {}, 0});
        server({tf::syn | tf::ack, s, c + 1, 1000, {}, 0});
        return client({tf::ack, c + 1, s + 1, 1000, {}, 0});
    }

    VirtualClock clock;
    ConnectionTable table{TableOptions{}, clock};
    Ends ends;
    Track* track = nullptr;
};

TEST(Handshake, ByFlags) {
    using detail::Handshake, detail::handshake_of;
    EXPECT_EQ(handshake_of(tf::syn), Handshake::syn);
    EXPECT_EQ(handshake_of(tf::syn | tf::ece | tf::cwr), Handshake::syn);
    EXPECT_EQ(handshake_of(tf::syn | tf::ack), Handshake::syn_ack);
    EXPECT_EQ(handshake_of(tf::syn | tf::ack | tf::ece), Handshake::syn_ack);
    for (const int extra : {tf::fin, tf::rst, tf::psh, tf::urg}) {
        EXPECT_EQ(handshake_of(static_cast<std::uint8_t>(tf::syn | extra)), Handshake::none);
        EXPECT_EQ(handshake_of(static_cast<std::uint8_t>(tf::syn | tf::ack | extra)),
                  Handshake::none);
    }
    EXPECT_EQ(handshake_of(tf::ack), Handshake::none);
    EXPECT_EQ(handshake_of(0), Handshake::none);
}

TEST_F(TcpStateTest, FinAndRstAreFinal) {
    open(1, 2);
    client({tf::fin | tf::ack, 2, 3, 1000, {}, 0});
    EXPECT_EQ(track->state(), TcpState::fin);
    server({tf::ack, 3, 3, 1000, {}, 10});
    EXPECT_EQ(track->state(), TcpState::fin);
}

TEST_F(TcpStateTest, MergedPacketCountsAsItsPieces) {
    open(1, 2);
    const Packet packet = tcp(ends, {tf::ack | tf::fin, 2, 3, 1000, {}, 2500});
    table.feed(dissected(packet), 1000);
    const SidePositions side = track->positions().client;
    EXPECT_EQ(side.pcounter, 2 + 3U);
    EXPECT_EQ(side.pdcounter, 3U);
    EXPECT_EQ(side.pbcounter, 2500U);
    EXPECT_EQ(side.seq, 2002U) << "of the last piece";
    EXPECT_EQ(side.pos, 2502U);
    EXPECT_EQ(side.uppos, 2502U);
    EXPECT_EQ(side.uppos_prev, 2002U);
    EXPECT_FALSE(track->is_retransmission());
    EXPECT_EQ(track->state(), TcpState::fin);
}

TEST_F(TcpStateTest, RstInSynStateIsFin) {
    client({tf::syn, 1, 0, 1000, {}, 0});
    server({tf::rst | tf::ack, 0, 2, 0, {}, 0});
    EXPECT_EQ(track->state(), TcpState::fin);
}

TEST_F(TcpStateTest, ServerDataEstablishes) {
    client({tf::syn, 1, 0, 1000, {}, 0});
    const Positions p = server({tf::ack, 500, 2, 0, {}, 0});
    EXPECT_EQ(track->state(), TcpState::established);
    EXPECT_EQ(p.server.seq0, 0U); // only the client's acknowledgement tells it
    EXPECT_FALSE(p.server.seq0_known);
}

TEST_F(TcpStateTest, SynRepeatedInSynStateCountsOn) {
    client({tf::syn, 100, 0, 1000, syn_options(1460, 3), 0});
    const std::uint32_t number = track->number();
    const Positions p = client({tf::syn, 200, 0, 900, {}, 0});
    EXPECT_EQ(track->number(), number);
    EXPECT_EQ(p.client.pcounter, 2U);
    EXPECT_EQ(p.client.seq0, 200U);
    EXPECT_EQ(p.client.mss, 0);   // absent: 0
    EXPECT_EQ(p.client.scale, 3); // absent: unchanged
}

TEST_F(TcpStateTest, SynOnLiveTrackResets) {
    open(100, 200);
    track->set_hostname("old.example", false, true);
    track->set_profile(3);
    track->set_cutoff(true);
    track->cut_instance(3, 1, true, true);
    track->set_l7(protocol::L7::tls);
    track->set_lua_ref(77);
    const std::uint32_t number = track->number();
    const Positions p = client({tf::syn, 5000, 0, 1000, {}, 0});
    EXPECT_NE(track->number(), number);
    EXPECT_EQ(p.client.pcounter, 1U);
    EXPECT_EQ(p.client.seq0, 5000U);
    EXPECT_FALSE(track->has_hostname() || track->profile_searched() || track->cutoff(true) ||
                 track->has_cuts());
    EXPECT_EQ(track->l7(), protocol::L7::unknown);
    EXPECT_EQ(track->lua_ref(), no_lua_ref);
    EXPECT_EQ(table.size(), 1U);
}

TEST_F(TcpStateTest, SynAckOfTheSameConnectionDoesNotReset) {
    open(100, 200);
    const std::uint32_t number = track->number();
    const Positions p = server({tf::syn | tf::ack, 200, 101, 1000, {}, 0});
    EXPECT_EQ(track->number(), number);
    EXPECT_EQ(p.server.pcounter, 2U);
    EXPECT_EQ(track->state(), TcpState::established);
}

TEST_F(TcpStateTest, SynAckOfAnotherConnectionResets) {
    open(100, 200);
    const std::uint32_t number = track->number();
    const Positions p = server({tf::syn | tf::ack, 900, 701, 1000, {}, 0});
    EXPECT_NE(track->number(), number);
    EXPECT_EQ(p.client.seq0, 700U);
    EXPECT_EQ(p.server.seq0, 900U);
    EXPECT_EQ(p.server.pcounter, 1U);
    EXPECT_EQ(track->client().port, ends.source_port); // same roles
}

TEST_F(TcpStateTest, SynWithDataOfFastOpen) {
    const Positions p = client({tf::syn, 1000, 0, 1000, {}, 60});
    EXPECT_EQ(p.client.pdcounter, 1U);
    EXPECT_EQ(p.client.pbcounter, 60U);
    EXPECT_EQ(p.client.rseq(), 0U);
    EXPECT_EQ(p.client.rpos(), 60U);
    EXPECT_EQ(p.client.uppos - p.client.seq0, 60U);
}

TEST_F(TcpStateTest, WindowScaleIsLimitedWhereItIsApplied) {
    client({tf::syn, 1, 0, 1000, syn_options(1460, 200), 0});
    server({tf::syn | tf::ack, 5, 2, 1000, {}, 0});
    const Positions p = client({tf::ack, 2, 6, 3, {}, 0});
    EXPECT_EQ(p.client.scale, 200);
    EXPECT_EQ(p.client.winsize_calc, 3U << 14);
}

TEST_F(TcpStateTest, BrokenOptionEndsTheSearch) {
    // A scale option of the wrong length is not one; a length of 0 ends the list.
    Positions p = client({tf::syn, 1, 0, 1000, {3, 4, 9, 9, 2, 4, 5, 180}, 0});
    EXPECT_EQ(p.client.scale, 0);
    EXPECT_EQ(p.client.mss, 1460);
    p = client({tf::syn, 1, 0, 1000, {1, 99, 0, 1, 2, 4, 5, 180}, 0});
    EXPECT_EQ(p.client.mss, 0);
    p = client({tf::syn, 1, 0, 1000, {0, 1, 1, 1, 2, 4, 5, 180}, 0}); // behind END
    EXPECT_EQ(p.client.mss, 0);
}

// With only the SYN+ACK seen and a high sequence the reference takes the first data for a
// retransmission.
TEST_F(TcpStateTest, FirstDataBehindSynAckOnlyIsNew) {
    for (const std::uint32_t isn : {0x90000000U, 0x10000000U, 0xFFFFFFFFU, 0U}) {
        table.clear();
        Positions p = server({tf::syn | tf::ack, 700, isn + 1, 1000, {}, 0});
        EXPECT_EQ(p.client.seq0, isn);
        EXPECT_EQ(p.client.uppos, isn);
        p = client({tf::ack, isn + 1, 701, 1000, {}, 0});
        p = client({tf::ack, isn + 1, 701, 1000, {}, 80});
        EXPECT_FALSE(track->is_retransmission()) << isn;
        EXPECT_EQ(p.client.uppos - p.client.seq0, 81U);
    }
}

// seq0 = 0 is a number like any other.
TEST_F(TcpStateTest, InitialSequenceZeroIsKnown) {
    client({tf::syn, 0, 0, 1000, {}, 0});
    const Positions p = server({tf::syn | tf::ack, 50, 9999, 1000, {}, 0});
    EXPECT_EQ(p.client.seq0, 0U);
    EXPECT_TRUE(p.client.seq0_known);
}

// A segment before seq0 is no progress.
TEST_F(TcpStateTest, SegmentBeforeTheStartIsNotOver2G) {
    open(1000, 2000);
    Positions p = client({tf::ack, 1000, 2001, 1000, {}, 0}); // keep-alive: rseq 0
    EXPECT_FALSE(p.client.rseq_over_2g);
    p = client({tf::ack, 990, 2001, 1000, {}, 0});
    EXPECT_EQ(p.client.rseq(), 4294967286U);
    EXPECT_FALSE(p.client.rseq_over_2g);
    p = client({tf::ack, 1001 + 0x90000000U, 2001, 1000, {}, 0}); // stray
    EXPECT_FALSE(p.client.rseq_over_2g);
}

TEST_F(TcpStateTest, RealProgressOver2GIsNotedAndStays) {
    open(1000, 2000);
    Positions p;
    std::uint32_t offset = 1;
    for (; offset < 0x7FF00000U; offset += 0x10000000U)
        p = client({tf::ack, 1000 + offset, 2001, 1000, {}, 100});
    EXPECT_FALSE(p.client.rseq_over_2g);
    p = client({tf::ack, 1000 + offset, 2001, 1000, {}, 100});
    EXPECT_TRUE(p.client.rseq_over_2g);
    p = client({tf::ack, 1001, 2001, 1000, {}, 0});
    EXPECT_TRUE(p.client.rseq_over_2g);
    EXPECT_FALSE(p.server.rseq_over_2g);
}

TEST_F(TcpStateTest, AcknowledgementsMoveTheOtherSideOver2G) {
    open(1000, 2000);
    Positions p;
    for (const std::uint32_t ack : {0x30000000U, 0x60000000U, 0x80000000U})
        p = client({tf::ack, 1001, 2000 + ack, 1000, {}, 0});
    EXPECT_TRUE(p.server.rseq_over_2g);
    EXPECT_FALSE(p.client.rseq_over_2g);
}

TEST_F(TcpStateTest, AcknowledgementNeedsTheFlag) {
    open(1000, 2000);
    const Positions p = client({0, 1001, 77, 1000, {}, 5});
    EXPECT_EQ(p.server.seq, 2001U);
    EXPECT_EQ(p.server.pos, 2001U);
}

TEST_F(TcpStateTest, Ip6FlowOfTcpOnly) {
    const Ends six{"2001:db8:1::10", "2001:db8:2::20", 5, 6};
    Positions p = feed(tcp(six, {tf::syn, 1, 0, 1000, {}, 0}));
    EXPECT_EQ(p.client.ip6_flow, 0x60012345U);
    EXPECT_EQ(p.server.ip6_flow, 0U);
    p = feed(udp(six, 3));
    EXPECT_EQ(p.client.ip6_flow, 0U);
    p = feed(tcp(ends, {tf::syn, 1, 0, 1000, {}, 0}));
    EXPECT_EQ(p.client.ip6_flow, 0U);
}

TEST_F(TcpStateTest, WhatAMergedPacketWillCount) {
    for (const std::size_t size : {1UL, 999UL, 1000UL, 1001UL, 2500UL}) {
        open(1, 2);
        client({tf::ack, 2, 3, 1000, {}, 10});
        const Packet merged = tcp(ends, {tf::ack, 12, 3, 1000, {}, size});
        const Track::Stretch seen = track->foresee(dissected(merged), 1000, false);
        EXPECT_EQ(track->positions().client.pdcounter, 1U) << "nothing was counted";
        const Track::Counters before = track->counters();
        SidePositions first, last;
        for (std::size_t at = 0; at < size; at += 1000) {
            const auto seq = static_cast<std::uint32_t>(12 + at);
            last =
                client({tf::ack, seq, 3, 1000, {}, std::min<std::size_t>(1000, size - at)}).client;
            if (at == 0) first = last;
        }
        for (const auto& [got, want] : {std::pair(seen.first, first), std::pair(seen.last, last)}) {
            EXPECT_EQ(got.pcounter, want.pcounter) << size;
            EXPECT_EQ(got.pdcounter, want.pdcounter) << size;
            EXPECT_EQ(got.pbcounter, want.pbcounter) << size;
            EXPECT_EQ(got.seq, want.seq) << size;
            EXPECT_EQ(got.pos, want.pos) << size;
        }
        track->take_back(before);
        EXPECT_EQ(track->positions().client.pos, 12U);
        EXPECT_EQ(track->positions().client.pbcounter, 10U);
    }
}

TEST_F(TcpStateTest, AMergedPacketBeyondTwoGigabytes) {
    open(1, 2);
    client({tf::ack, 2 + 0x30000000, 3, 1000, {}, 10});
    client({tf::ack, 2 + 0x60000000, 3, 1000, {}, 10});
    const Packet merged = tcp(ends, {tf::ack, 0x80000001 - 1500, 3, 1000, {}, 3000});
    const Track::Stretch seen = track->foresee(dissected(merged), 1000, false);
    EXPECT_FALSE(seen.first.rseq_over_2g);
    EXPECT_TRUE(seen.last.rseq_over_2g);
}

TEST(CountPacket, CarriesBeyond32Bits) {
    detail::TrackData d;
    d.server.pcounter_low = d.server.pdcounter_low = d.server.pbcounter_low = UINT32_MAX;
    detail::count_packets(d, 1, 10, true);
    EXPECT_EQ(d.server.pcounter_low, 0U);
    EXPECT_EQ(d.server.pcounter_high, 1U);
    EXPECT_EQ(d.server.pdcounter_high, 1U);
    EXPECT_EQ(d.server.pbcounter_low, 9U);
    EXPECT_EQ(d.server.pbcounter_high, 1U);
    detail::count_packets(d, 1, 0, true);
    EXPECT_EQ(d.server.pcounter_low, 1U);
    EXPECT_EQ(d.server.pdcounter_low, 0U);
    EXPECT_EQ(d.client.pcounter_low, 0U);
}

} // namespace
} // namespace nfqws2::flow::test
