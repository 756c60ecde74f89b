#include "nfqws2/flow/connection_table.hpp"

#include "packets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace nfqws2::flow::test {
namespace {

constexpr std::int64_t second = 1'000'000'000;

Ends numbered(unsigned i) {
    Ends e;
    e.source = "10." + std::to_string(i >> 16 & 255) + '.' + std::to_string(i >> 8 & 255) + '.' +
               std::to_string(i & 255);
    return e;
}

class Recorder : public TrackObserver {
  public:
    void on_track_end(Track& track) override { ended.push_back(track.number()); }
    void on_held_timeout(Track& track) override { late.push_back(track.number()); }
    std::vector<std::uint32_t> ended, late;
};

class ConnectionTableTest : public ::testing::Test {
  protected:
    ConnectionTableTest() { table.set_observer(&recorder); }
    ConnectionTable::Found feed(const Packet& p) { return table.feed(dissected(p)); }
    ConnectionTable::Found find(const Packet& p) { return table.find(dissected(p)); }
    void advance(std::int64_t seconds) { clock.advance_to(clock.boot_ns() + seconds * second); }
    void establish(const Ends& e) {
        feed(tcp(e, {tf::syn, 1, 0, 1, {}, 0}));
        feed(tcp(e, {tf::ack, 2, 6, 1, {}, 0}));
    }

    TableOptions options{60, 300, 60, 60, 1'000'000, 64 << 20, 1500};
    VirtualClock clock{1177 * second};
    Recorder recorder;
    ConnectionTable table{options, clock};
    Ends ends;
};

// --- creation, roles, search
// ----------------------------------------------------------------------

TEST_F(ConnectionTableTest, SynCreatesSenderIsClient) {
    const auto found = feed(tcp(ends, {tf::syn, 1000, 0, 1, {}, 0}));
    ASSERT_TRUE(found);
    EXPECT_FALSE(found.reverse);
    EXPECT_TRUE(found.track->is_tcp());
    EXPECT_EQ(found.track->client().address.text(), "10.1.0.1");
    EXPECT_EQ(found.track->client().port, 1111);
    EXPECT_EQ(found.track->server().address.text(), "10.2.0.1");
    EXPECT_EQ(found.track->server().port, 443);
    EXPECT_EQ(found.track->number(), 1U);
    EXPECT_EQ(found.track->start_ns(), clock.boot_ns());
}

TEST_F(ConnectionTableTest, SynAckCreatesSenderIsServer) {
    const auto found = feed(tcp(ends.reversed(), {tf::syn | tf::ack, 5, 2, 1, {}, 0}));
    ASSERT_TRUE(found);
    EXPECT_TRUE(found.reverse);
    EXPECT_EQ(found.track->client().port, 1111);
    EXPECT_EQ(found.track->positions().server.pcounter, 1U);
    EXPECT_EQ(found.track->positions().client.pcounter, 0U);
    EXPECT_EQ(found.track->state(), TcpState::syn);
}

TEST_F(ConnectionTableTest, AnyUdpCreatesEvenEmpty) {
    const auto found = feed(udp(ends.reversed(), 0));
    ASSERT_TRUE(found);
    EXPECT_FALSE(found.reverse);
    EXPECT_FALSE(found.track->is_tcp());
    EXPECT_EQ(found.track->client().port, 443);
    EXPECT_TRUE(feed(udp(ends, 4)).reverse);
}

TEST_F(ConnectionTableTest, MidStreamTcpNever) {
    for (const int flags :
         {0, int{tf::ack}, tf::ack | tf::psh, int{tf::fin}, int{tf::rst}, tf::syn | tf::fin,
          tf::syn | tf::psh, tf::syn | tf::rst, tf::syn | tf::urg, tf::syn | tf::ack | tf::fin,
          tf::syn | tf::ack | tf::psh})
        EXPECT_FALSE(feed(tcp(ends, {static_cast<std::uint8_t>(flags), 9, 9, 9, {}, 5}))) << flags;
    EXPECT_EQ(table.size(), 0U);
    EXPECT_TRUE(feed(tcp(ends, {tf::syn | tf::ece | tf::cwr, 9, 0, 9, {}, 0})));
}

TEST_F(ConnectionTableTest, NoTrackForFragmentsIcmpAndGarbage) {
    Packet p = udp(ends, 16);
    p[6] = 0x20; // more fragments
    EXPECT_FALSE(feed(p));
    EXPECT_FALSE(find(p));
    EXPECT_FALSE(feed(icmp(ends)));
    EXPECT_FALSE(find(icmp(ends)));
    EXPECT_FALSE(feed({}));
    EXPECT_FALSE(find({}));
    EXPECT_FALSE(feed(Packet(30, 0xFF)));
}

TEST_F(ConnectionTableTest, KeyIsTheWholeTuple) {
    const Ends base;
    feed(udp(base, 1));
    Ends other = base;
    other.source = "10.1.0.2";
    EXPECT_FALSE(find(udp(other, 1)));
    other = base;
    other.destination = "10.2.0.2";
    EXPECT_FALSE(find(udp(other, 1)));
    other = base;
    other.source_port++;
    EXPECT_FALSE(find(udp(other, 1)));
    other = base;
    other.destination_port++;
    EXPECT_FALSE(find(udp(other, 1)));
    EXPECT_FALSE(find(tcp(base, {tf::ack, 0, 0, 0, {}, 0})));
    // crosswise ports are another flow
    EXPECT_FALSE(
        find(udp({base.source, base.destination, base.destination_port, base.source_port}, 1)));
    EXPECT_TRUE(find(udp(base, 1)));
    EXPECT_FALSE(find(udp(base, 1)).reverse);
    EXPECT_TRUE(find(udp(base.reversed(), 1)).reverse);
}

TEST_F(ConnectionTableTest, Ipv6IsNotIpv4WithZeros) {
    // 0a01:0001:: begins with the bytes of 10.1.0.1, the rest is zero in both forms
    const Ends four, six{"a01:1::", "a02:1::", four.source_port, four.destination_port};
    feed(udp(four, 1));
    EXPECT_FALSE(find(udp(six, 1)));
    const auto found = feed(udp(six, 1));
    ASSERT_TRUE(found);
    EXPECT_EQ(found.track->client().address.text(), "a01:1::");
    EXPECT_EQ(found.track->client().address.version, 6);
    EXPECT_EQ(table.size(), 2U);
}

TEST_F(ConnectionTableTest, FindNeitherCountsNorCreatesNorTouches) {
    EXPECT_FALSE(find(tcp(ends, {tf::syn, 1, 0, 1, {}, 0})));
    EXPECT_EQ(table.size(), 0U);
    const auto found = feed(udp(ends, 5));
    const std::int64_t last = found.track->last_ns();
    advance(5);
    EXPECT_EQ(find(udp(ends, 5)).track, found.track);
    EXPECT_EQ(found.track->positions().client.pcounter, 1U);
    EXPECT_EQ(found.track->last_ns(), last);
}

// Eight quoted bytes are enough, see docs/contracts/flows.md#icmp-and-raw-ip.
TEST_F(ConnectionTableTest, FindWithAQuotedPartOfTheHeader) {
    feed(tcp(ends, {tf::syn, 1, 0, 1, {}, 0}));
    Packet quoted = tcp(ends, {tf::syn, 1, 0, 1, {}, 0});
    quoted.resize(20 + 8);
    auto d = packet::dissect(quoted, packet::Completeness::partial);
    EXPECT_EQ(d.l4, packet::L4::none);
    EXPECT_TRUE(table.find(d));
    EXPECT_FALSE(table.find(d).reverse);
    EXPECT_FALSE(table.feed(d));
    quoted.resize(20 + 3);
    EXPECT_FALSE(table.find(packet::dissect(quoted, packet::Completeness::partial)));
    quoted = tcp(ends.reversed(), {tf::ack, 1, 0, 1, {}, 0});
    quoted.resize(20 + 8);
    EXPECT_TRUE(table.find(packet::dissect(quoted, packet::Completeness::partial)).reverse);
}

TEST_F(ConnectionTableTest, SelfConnectionIsNotReverse) {
    const Ends self{"127.0.0.1", "127.0.0.1", 99, 99};
    feed(udp(self, 1));
    const auto found = feed(udp(self, 1));
    EXPECT_FALSE(found.reverse);
    EXPECT_EQ(found.track->positions().client.pcounter, 2U);
}

TEST_F(ConnectionTableTest, UdpCountsOnly) {
    feed(udp(ends, 10));
    feed(udp(ends, 0));
    const auto found = feed(udp(ends.reversed(), 7));
    const Positions p = found.track->positions();
    EXPECT_EQ(p.client.pcounter, 2U);
    EXPECT_EQ(p.client.pdcounter, 1U);
    EXPECT_EQ(p.client.pbcounter, 10U);
    EXPECT_EQ(p.server.pbcounter, 7U);
    EXPECT_EQ(p.client.seq | p.client.pos | p.client.uppos | p.client.winsize, 0U);
}

// --- time-outs
// ------------------------------------------------------------------------------------

TEST_F(ConnectionTableTest, TimeoutsByState) {
    feed(tcp(numbered(1), {tf::syn, 1, 0, 1, {}, 0}));
    establish(numbered(2));
    establish(numbered(3));
    feed(tcp(numbered(3), {tf::fin | tf::ack, 2, 6, 1, {}, 0}));
    feed(udp(numbered(4), 1));
    advance(59);
    table.purge();
    EXPECT_EQ(table.size(), 4U);
    advance(1);
    table.purge();
    EXPECT_EQ(table.size(), 1U);
    EXPECT_EQ(recorder.ended, (std::vector<std::uint32_t>{1, 4, 3}));
    advance(239);
    table.purge();
    EXPECT_EQ(table.size(), 1U);
    advance(1);
    table.purge();
    EXPECT_EQ(table.size(), 0U);
}

TEST_F(ConnectionTableTest, OwnPacketsProlongOthersDoNot) {
    feed(udp(ends, 1));
    feed(udp(numbered(7), 1));
    for (int i = 0; i < 20; i++) {
        advance(30);
        table.purge();
        ASSERT_TRUE(feed(udp(i % 2 ? ends : ends.reversed(), 1)));
        find(udp(numbered(7), 1)); // a search is no use
    }
    EXPECT_EQ(table.size(), 1U);
    EXPECT_EQ(recorder.ended, (std::vector<std::uint32_t>{2}));
}

TEST_F(ConnectionTableTest, ShorterTimeoutActsAtOnce) {
    establish(ends); // 300 s
    advance(10);
    feed(tcp(ends, {tf::rst, 2, 0, 0, {}, 0}));
    advance(60);
    table.purge();
    EXPECT_EQ(table.size(), 0U);
}

TEST_F(ConnectionTableTest, TimeoutsBeyondTheWheel) {
    TableOptions o = options;
    o.timeout_established = 100'000;
    ConnectionTable t(o, clock);
    t.feed(dissected(tcp(ends, {tf::syn, 1, 0, 1, {}, 0})));
    t.feed(dissected(tcp(ends, {tf::ack, 2, 6, 1, {}, 0})));
    for (int i = 0; i < 100; i++) {
        advance(999);
        t.purge();
        ASSERT_EQ(t.size(), 1U) << i;
    }
    advance(100);
    t.purge();
    EXPECT_EQ(t.size(), 0U);
}

TEST_F(ConnectionTableTest, HugeTimeoutsDoNotWrap) {
    TableOptions o = options;
    o.timeout_udp = 4'294'967'295U;
    ConnectionTable t(o, clock);
    t.feed(dissected(udp(ends, 1)));
    advance(1'000'000'000);
    t.purge();
    EXPECT_EQ(t.size(), 1U);
}

TEST_F(ConnectionTableTest, ClockThatStartsWithTheFirstPacket) {
    VirtualClock late;
    ConnectionTable t(options, late);
    t.purge();
    late.advance_to(1'700'000'000 * second);
    t.purge();
    t.feed(dissected(udp(ends, 1)));
    late.advance_to(1'700'000'059 * second);
    t.purge();
    EXPECT_EQ(t.size(), 1U);
    late.advance_to(1'700'000'060 * second);
    t.purge();
    EXPECT_EQ(t.size(), 0U);
}

TEST_F(ConnectionTableTest, PurgeIsBoundedAndSaysWhatIsLeft) {
    for (unsigned i = 0; i < 3000; i++)
        feed(udp(numbered(i), 1));
    EXPECT_EQ(table.next_purge_ms(), 60'000);
    advance(61);
    EXPECT_EQ(table.next_purge_ms(), 0);
    std::size_t before = table.size();
    unsigned calls = 0;
    while (table.purge()) {
        ASSERT_LE(before - table.size(), 256U);
        before = table.size();
        calls++;
    }
    EXPECT_GE(calls, 10U);
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(table.next_purge_ms(), -1);
    EXPECT_EQ(recorder.ended.size(), 3000U);
    EXPECT_EQ(recorder.ended.front(), 1U); // oldest first
    EXPECT_EQ(recorder.ended.back(), 3000U);
}

// --- limit
// ----------------------------------------------------------------------------------------

class LimitedTableTest : public ConnectionTableTest {
  protected:
    LimitedTableTest() { limited.set_observer(&recorder); }
    TableOptions small() {
        TableOptions o = options;
        o.max_tracks = 4;
        return o;
    }
    ConnectionTable::Found feed_limited(const Packet& p) { return limited.feed(dissected(p)); }
    ConnectionTable limited{small(), clock};
};

TEST_F(LimitedTableTest, OldestUnansweredGoFirst) {
    feed_limited(udp(numbered(1), 1));
    feed_limited(udp(numbered(1).reversed(), 1)); // answered
    advance(1);
    feed_limited(udp(numbered(2), 1)); // 2: unanswered
    advance(1);
    feed_limited(tcp(numbered(3), {tf::syn, 1, 0, 1, {}, 0})); // 3: half open
    feed_limited(tcp(numbered(4), {tf::syn, 1, 0, 1, {}, 0}));
    feed_limited(tcp(numbered(4), {tf::ack, 2, 6, 1, {}, 0})); // 4: established
    for (unsigned i = 5; i <= 7; i++) {
        advance(1);
        EXPECT_TRUE(feed_limited(udp(numbered(i), 1)));
        EXPECT_EQ(limited.size(), 4U);
    }
    EXPECT_EQ(recorder.ended, (std::vector<std::uint32_t>{2, 3, 5}));
    EXPECT_EQ(limited.evicted(), 3U);
}

TEST_F(LimitedTableTest, OnlyAnsweredFlowsTheLongestIdleGoes) {
    for (unsigned i = 1; i <= 4; i++) {
        feed_limited(udp(numbered(i), 1));
        feed_limited(udp(numbered(i).reversed(), 1));
        advance(1);
    }
    feed_limited(udp(numbered(1), 1)); // used again
    feed_limited(udp(numbered(9), 1));
    EXPECT_EQ(recorder.ended, (std::vector<std::uint32_t>{2}));
}

TEST_F(LimitedTableTest, PinnedFlowIsNoVictim) {
    Track* first = feed_limited(udp(numbered(1), 1)).track;
    for (unsigned i = 2; i <= 4; i++)
        feed_limited(udp(numbered(i), 1));
    {
        const ConnectionTable::Pin pin(limited, first);
        feed_limited(udp(numbered(5), 1));
    }
    EXPECT_EQ(recorder.ended, (std::vector<std::uint32_t>{2}));
}

TEST_F(ConnectionTableTest, ZeroMeansNoLimit) {
    TableOptions o = options;
    o.max_tracks = 0;
    ConnectionTable t(o, clock);
    for (unsigned i = 0; i < 2000; i++)
        t.feed(dissected(udp(numbered(i), 1)));
    EXPECT_EQ(t.size(), 2000U);
}

// --- pins
// -----------------------------------------------------------------------------------------

TEST_F(ConnectionTableTest, PinKeepsATrackThatIsReset) {
    establish(ends);
    Track* old = find(udp(ends, 0)).track;
    EXPECT_EQ(old, nullptr);
    old = find(tcp(ends, {tf::ack, 0, 0, 0, {}, 0})).track;
    old->set_hostname("still.here", false, true);
    Track* fresh = nullptr;
    {
        const ConnectionTable::Pin outer(table, old);
        const ConnectionTable::Pin inner(table, old);
        fresh = feed(tcp(ends, {tf::syn, 77, 0, 1, {}, 0})).track;
        EXPECT_NE(fresh, old);
        EXPECT_EQ(old->hostname(), "still.here");
        EXPECT_EQ(fresh->positions().client.pcounter, 1U);
        EXPECT_EQ(find(tcp(ends, {tf::ack, 0, 0, 0, {}, 0})).track, fresh);
        EXPECT_TRUE(recorder.ended.empty());
    }
    EXPECT_EQ(recorder.ended, (std::vector<std::uint32_t>{1}));
    EXPECT_EQ(table.size(), 1U);
}

TEST_F(ConnectionTableTest, PinKeepsATrackThatExpires) {
    Track* track = feed(udp(ends, 1)).track;
    {
        const ConnectionTable::Pin pin(table, track);
        advance(100);
        table.purge();
        EXPECT_EQ(find(udp(ends, 1)).track, track);
    }
    advance(2);
    table.purge();
    EXPECT_EQ(table.size(), 0U);
}

TEST_F(ConnectionTableTest, PinOfNothing) {
    const ConnectionTable::Pin pin(table, nullptr);
    EXPECT_EQ(table.size(), 0U);
}

TEST_F(ConnectionTableTest, ClearEndsEveryTrack) {
    for (unsigned i = 0; i < 500; i++)
        feed(udp(numbered(i), 1));
    establish(ends);
    Track* pinned = find(udp(numbered(3), 1)).track;
    {
        const ConnectionTable::Pin pin(table, pinned);
        table.clear();
        EXPECT_EQ(table.size(), 0U);
        EXPECT_EQ(recorder.ended.size(), 500U);
        EXPECT_EQ(pinned->client().address.text(), "10.0.0.3");
    }
    EXPECT_EQ(recorder.ended.size(), 501U);
    EXPECT_TRUE(feed(udp(ends, 1)));
}

// --- load
// -----------------------------------------------------------------------------------------

// Random creation, use and expiry against a plain model.
TEST_F(ConnectionTableTest, RandomLoadAgainstModel) {
    std::vector<std::int64_t> last(3000, -1000);
    unsigned seed = 1;
    const auto random = [&] { return seed = seed * 1664525 + 1013904223, seed >> 8; };
    for (int step = 0; step < 60'000; step++) {
        if (random() % 50 == 0) advance(1 + random() % 3);
        while (table.purge()) {
        }
        const unsigned i = random() % (step / 20'000 == 1 ? 300 : 3000);
        const std::int64_t now = clock.boot_s();
        ASSERT_EQ(bool{find(udp(numbered(i), 1))}, now - last[i] < 60) << step;
        if (random() % 3 == 0) continue;
        ASSERT_TRUE(feed(udp(random() % 2 ? numbered(i) : numbered(i).reversed(), 1)));
        last[i] = now;
    }
    std::size_t alive = 0;
    for (const std::int64_t t : last)
        alive += clock.boot_s() - t < 60;
    EXPECT_EQ(table.size(), alive);
}

// --- dump
// -----------------------------------------------------------------------------------------

TEST_F(ConnectionTableTest, DumpLines) {
    const Ends e{"10.1.0.1", "10.2.0.1", 1, 443};
    feed(tcp(e, {tf::syn, 1, 0, 100, syn_options(1460, 3), 0}));
    feed(tcp(e.reversed(), {tf::syn | tf::ack, 5, 2, 8192, {}, 0}));
    feed(udp({"10.1.0.1", "10.2.0.1", 5, 6}, 4));
    std::vector<std::string> lines;
    table.dump([&](const Track&, const std::string& line) { lines.push_back(line); });
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0],
              "tcp [10.1.0.1]:1 => [10.2.0.1]:443 : SYN : t0=1177 last=t0+0 now=last+0 "
              "client=d0/n1/b0 server=d0/n1/b0 seq0=1 rseq=1 client.pos=1 ack0=5 rack=0 "
              "server.pos=0 client.mss=1460 server.mss=0 client.wsize=100:3 server.wsize=8192:0 "
              "req_retrans=0 cutoff=0 lua_in_cutoff=0 lua_out_cutoff=0 hostname= l7proto=unknown");
    EXPECT_EQ(lines[1],
              "udp [10.1.0.1]:5 => [10.2.0.1]:6 : - : t0=1177 last=t0+0 now=last+0 "
              "client=d1/n1/b4 server=d0/n0/b0 rseq=0 client.pos=0 rack=0 server.pos=0 "
              "req_retrans=0 cutoff=0 lua_in_cutoff=0 lua_out_cutoff=0 hostname= l7proto=unknown");
}

TEST_F(ConnectionTableTest, DumpOfALivedFlow) {
    Track* track = feed(udp({"2001:db8::1", "2001:db8::2", 5, 6}, 4)).track;
    track->set_hostname("a\x1b[2Jb", false, true);
    track->set_l7(protocol::L7::quic);
    track->set_cutoff(false);
    track->need_extension().auto_host.retrans = 2;
    advance(3);
    feed(udp({"2001:db8::1", "2001:db8::2", 5, 6}, 4));
    advance(4);
    std::string all;
    table.dump([&](const Track&, const std::string& line) { all += line; });
    EXPECT_EQ(all, "udp [2001:db8::1]:5 => [2001:db8::2]:6 : - : t0=1177 last=t0+3 now=last+4 "
                   "client=d2/n2/b8 server=d0/n0/b0 rseq=0 client.pos=0 rack=0 server.pos=0 "
                   "req_retrans=2 cutoff=0 lua_in_cutoff=1 lua_out_cutoff=0 hostname=a?[2Jb "
                   "l7proto=quic");
}

TEST_F(ConnectionTableTest, AScanComesInParts) {
    constexpr unsigned count = 5000;
    for (unsigned i = 0; i < count; i++)
        feed(udp(numbered(i), 0));
    EXPECT_EQ(table.created(), count);
    std::vector<unsigned> visits(count + 1);
    std::size_t parts = 0;
    std::uint32_t cursor = 0;
    do {
        std::size_t visited = 0;
        cursor = table.scan(cursor, 100, [&](const Track& track) {
            visits[track.number()]++;
            visited++;
        });
        EXPECT_LT(visited, 200U);
        parts++;
    } while (cursor != 0);
    EXPECT_GT(parts, 25U);
    EXPECT_EQ(visits[0], 0U);
    EXPECT_EQ(std::count(visits.begin(), visits.end(), 1U), count);
}

TEST_F(ConnectionTableTest, AScanOfNothingEnds) {
    EXPECT_EQ(table.scan(0, 100, [](const Track&) { FAIL(); }), 0U);
}

} // namespace
} // namespace nfqws2::flow::test
