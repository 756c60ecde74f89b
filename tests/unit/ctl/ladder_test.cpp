#include "ctl/ladder/ladder.hpp"

#include <gtest/gtest.h>

namespace nfqws2::ctl {
namespace {

const Words& english = words("en");

// A flow of 10.0.0.1:1000 to 10.0.0.2:443.
class Flow {
  public:
    explicit Flow(std::int64_t number = 1) : number_(number) {}

    TraceEvent& packet(bool incoming, std::int64_t seq, std::int64_t dlen,
                       const std::string& flags = "A") {
        TraceEvent e;
        e.number = static_cast<std::int64_t>(events.size()) + 1;
        e.flow = number_;
        e.seconds = static_cast<double>(events.size()) / 10;
        e.incoming = incoming;
        e.source = incoming ? "10.0.0.2:443" : "10.0.0.1:1000";
        e.target = incoming ? "10.0.0.1:1000" : "10.0.0.2:443";
        e.l4 = "tcp";
        e.flags = flags;
        e.seq = seq;
        e.dlen = dlen;
        e.payload = dlen > 0 ? "unknown" : "empty";
        e.verdict = "accept";
        SentPacket same = sent(e, seq, dlen, SentPacket::Kind::original);
        same.ttl = 64;
        e.out.push_back(same);
        events.push_back(e);
        return events.back();
    }
    TraceEvent& hello(std::int64_t dlen = 100) {
        TraceEvent& e = packet(false, 1, dlen, "PA");
        e.payload = "tls_client_hello";
        e.host = "a.example";
        e.host_at = Range{40, 49};
        return e;
    }
    static SentPacket sent(const TraceEvent& e, std::int64_t seq, std::int64_t dlen,
                           SentPacket::Kind kind = SentPacket::Kind::generated) {
        SentPacket packet;
        packet.kind = kind;
        packet.source = e.source;
        packet.target = e.target;
        packet.flags = e.flags;
        packet.seq = seq;
        packet.dlen = dlen;
        return packet;
    }
    Ladder ladder(const LadderLimits& limits = {}) const {
        return make_ladders(events, english, limits).ladders.at(0);
    }

    std::vector<TraceEvent> events;

  private:
    std::int64_t number_;
};

std::vector<const Row*> arrows(const Ladder& ladder) {
    std::vector<const Row*> found;
    for (const Row& row : ladder.rows)
        if (row.kind == Row::Kind::arrow) found.push_back(&row);
    return found;
}

TEST(Ladder, AHandshakePassesThrough) {
    Flow flow;
    flow.packet(false, 0, 0, "S");
    flow.packet(true, 0, 0, "SA");
    flow.packet(false, 1, 0);
    const Ladder ladder = flow.ladder();
    ASSERT_EQ(ladder.rows.size(), 3U);
    EXPECT_EQ(ladder.rows[0].title, "SYN");
    EXPECT_EQ(ladder.rows[0].from, Lane::machine);
    EXPECT_EQ(ladder.rows[0].to, Lane::network);
    EXPECT_EQ(ladder.rows[1].title, "SYN,ACK");
    EXPECT_EQ(ladder.rows[1].from, Lane::network);
    EXPECT_EQ(ladder.rows[1].to, Lane::machine);
    EXPECT_EQ(ladder.rows[2].time, "0.200");
    EXPECT_EQ(ladder.title, "10.0.0.1:1000 \xE2\x86\x92 10.0.0.2:443");
}

TEST(Ladder, PiecesAreCutWhereTheyBegin) {
    Flow flow;
    TraceEvent& e = flow.hello();
    e.verdict = "drop";
    e.calls.push_back({"split_1_1", "drop", "", 2, 5});
    e.out = {Flow::sent(e, 45, 56), Flow::sent(e, 1, 44)};
    const Ladder ladder = flow.ladder();
    EXPECT_EQ(ladder.title, "a.example");
    ASSERT_EQ(ladder.rows.size(), 4U);
    EXPECT_EQ(ladder.rows[0].title, "ClientHello \xC2\xB7 a.example");
    EXPECT_EQ(ladder.rows[0].to, Lane::daemon);
    ASSERT_TRUE(ladder.rows[0].strip);
    EXPECT_EQ(ladder.rows[0].strip->host, (Range{41, 50}));
    EXPECT_EQ(ladder.rows[0].strip->cuts, (std::vector<std::int64_t>{45, 101, 1, 45}));
    EXPECT_EQ(ladder.rows[1].title, "split_1_1: drop +2");
    for (const std::size_t i : {2U, 3U}) {
        const Row& row = ladder.rows[i];
        EXPECT_EQ(row.tone, Tone::piece);
        EXPECT_EQ(row.title, "piece");
        EXPECT_EQ(row.from, Lane::daemon);
        EXPECT_EQ(row.to, Lane::network);
        EXPECT_NE(row.detail.find("part of the name"), std::string::npos) << row.detail;
        ASSERT_TRUE(row.strip);
        EXPECT_EQ(row.strip->message, (Range{1, 101}));
    }
    EXPECT_EQ(ladder.rows[2].strip->part, (Range{45, 101}));
}

TEST(Ladder, TonesTellDecoysFromPieces) {
    Flow flow;
    TraceEvent& e = flow.hello();
    e.calls.push_back({"fake_1_1", "pass", "", 5, 5});
    SentPacket decoy = Flow::sent(e, 1, 30), overlap = Flow::sent(e, -9, 20);
    SentPacket short_lived = Flow::sent(e, 1, 100), broken = Flow::sent(e, 1, 100);
    decoy.foreign = Range{2, 30};
    overlap.foreign = Range{0, 10};
    short_lived.ttl = 3;
    broken.bad_checksum = true;
    SentPacket readable = Flow::sent(e, 1, 100);
    readable.host_at = Range{40, 49};
    const SentPacket original = e.out[0];
    e.out = {decoy, overlap, short_lived, broken, readable, original};
    const Ladder ladder = flow.ladder();
    const auto rows = arrows(ladder);
    ASSERT_EQ(rows.size(), 7U);
    EXPECT_EQ(rows[1]->title, "decoy");
    EXPECT_EQ(rows[1]->tone, Tone::decoy);
    EXPECT_EQ(rows[1]->strip->foreign, (Range{3, 31}));
    EXPECT_EQ(rows[2]->title, "overlap + piece");
    EXPECT_EQ(rows[2]->tone, Tone::piece);
    EXPECT_EQ(rows[3]->tone, Tone::decoy) << "it does not reach the server";
    EXPECT_NE(rows[3]->detail.find("TTL 3"), std::string::npos);
    EXPECT_EQ(rows[4]->tone, Tone::decoy);
    EXPECT_NE(rows[4]->detail.find("wrong checksum"), std::string::npos);
    EXPECT_EQ(rows[5]->title, "the whole message");
    EXPECT_NE(rows[5]->detail.find("name readable"), std::string::npos);
    EXPECT_EQ(rows[6]->title, "as it was");
    EXPECT_EQ(rows[6]->tone, Tone::original);
}

TEST(Ladder, WhyAServerRefusesADecoy) {
    Flow flow;
    TraceEvent& e = flow.hello();
    SentPacket fooled = Flow::sent(e, 1, 100);
    fooled.ack = -65999;
    fooled.signature = true;
    fooled.extensions = "hopopts";
    e.out.insert(e.out.begin(), fooled);
    const auto ladder = flow.ladder();
    EXPECT_NE(arrows(ladder)[1]->detail.find("ack -65999 \xC2\xB7 MD5 \xC2\xB7 hopopts"),
              std::string::npos)
        << arrows(ladder)[1]->detail;
}

TEST(Ladder, FragmentsHaveNoPortsAndGoTheSameWay) {
    Flow flow;
    TraceEvent& e = flow.hello();
    SentPacket fragment = Flow::sent(e, 1, 32);
    fragment.fragment = 0;
    fragment.source = e.source.substr(0, e.source.rfind(':'));
    fragment.target = e.target.substr(0, e.target.rfind(':'));
    e.out = {fragment};
    const auto ladder = flow.ladder();
    EXPECT_EQ(arrows(ladder)[1]->title, "IP fragment");
    EXPECT_EQ(arrows(ladder)[1]->to, Lane::network);
}

TEST(Ladder, ChangedPacket) {
    Flow flow;
    TraceEvent& e = flow.packet(true, 0, 0, "SA");
    e.verdict = "modify";
    e.out[0].kind = SentPacket::Kind::modified;
    const Ladder ladder = flow.ladder();
    const auto rows = arrows(ladder);
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[1]->tone, Tone::changed);
    EXPECT_EQ(rows[1]->from, Lane::daemon);
    EXPECT_EQ(rows[1]->to, Lane::machine) << "incoming packets go to this machine";
}

TEST(Ladder, DroppedFailedAndTimers) {
    Flow flow;
    TraceEvent& dropped = flow.hello();
    dropped.verdict = "drop";
    dropped.out.clear();
    TraceEvent& failed = flow.packet(false, 101, 5);
    failed.calls.push_back({"f_1_1", "", "no such blob", 0, 1});
    TraceEvent timer;
    timer.out = {Flow::sent(failed, 1, 100)};
    flow.events.push_back(timer);
    const Ladder ladder = flow.ladder();
    std::vector<std::string> notes;
    for (const Row& row : ladder.rows)
        if (row.kind == Row::Kind::note) notes.push_back(row.title);
    EXPECT_EQ(notes, (std::vector<std::string>{"dropped", "f_1_1: error: no such blob",
                                               "sent by a timer"}));
    EXPECT_EQ(ladder.rows.back().to, Lane::network);
}

TEST(Ladder, AMessageInTwoPacketsIsOneMessage) {
    Flow flow;
    for (const std::int64_t from : {0, 60}) {
        TraceEvent& held = flow.packet(false, 1 + from, from == 0 ? 60 : 40, "PA");
        held.held = true;
        held.verdict = "drop";
        held.out.clear();
    }
    for (const std::int64_t piece : {1, 2}) {
        TraceEvent& replay = flow.packet(false, piece == 1 ? 1 : 61, piece == 1 ? 60 : 40, "PA");
        replay.payload = "tls_client_hello";
        replay.piece = piece;
        replay.pieces = 2;
        replay.host_at = piece == 1 ? Range{58, 70} : Range{-2, 10};
        replay.verdict = "drop";
        replay.out.clear();
        if (piece == 1) replay.out = {Flow::sent(replay, 1, 58), Flow::sent(replay, 59, 42)};
    }
    const Ladder ladder = flow.ladder();
    const auto rows = arrows(ladder);
    ASSERT_EQ(rows.size(), 4U) << "replayed pieces do not come in again";
    EXPECT_EQ(rows[3]->strip->message, (Range{1, 101}));
    EXPECT_EQ(rows[3]->strip->host, (Range{59, 71}));
    EXPECT_EQ(ladder.rows[1].title, "held back until the message is whole");
    EXPECT_EQ(ladder.rows[4].title, "the message is whole (1/2)");
}

TEST(Ladder, ManyPlainPacketsAreOneRow) {
    Flow flow;
    flow.hello();
    for (int i = 0; i < 500; i++)
        flow.packet(true, 1 + i * 1000, 1000);
    const Ladder ladder = flow.ladder();
    ASSERT_EQ(ladder.rows.size(), 2U);
    EXPECT_EQ(ladder.rows[1].kind, Row::Kind::gap);
    EXPECT_EQ(ladder.rows[1].title, "500 packets pass");
}

TEST(Ladder, LimitsAreSaid) {
    std::vector<TraceEvent> events;
    for (std::int64_t number = 1; number <= 9; number++) {
        Flow flow(number);
        TraceEvent& e = flow.hello();
        e.out.assign(100, Flow::sent(e, 1, 10));
        e.omitted = 1000;
        for (int i = 0; i < 20; i++)
            flow.hello();
        events.insert(events.end(), flow.events.begin(), flow.events.end());
    }
    const Ladders made = make_ladders(events, english, {3, 50, 40});
    EXPECT_EQ(made.ladders.size(), 3U);
    EXPECT_EQ(made.omitted, 6);
    const Ladder& first = made.ladders[0];
    EXPECT_EQ(first.rows[41].title, "and 1060 more");
    EXPECT_EQ(first.rows.back().title, "12 more packets are left out");
    EXPECT_LT(first.rows.size(), 60U);
}

TEST(Ladder, FlowsOfWorkersAreTheirOwn) {
    Flow flow;
    flow.hello();
    TraceEvent other = flow.events[0];
    other.worker = 1;
    flow.events.push_back(other);
    EXPECT_EQ(make_ladders(flow.events, english).ladders.size(), 2U);
}

TEST(Ladder, NoPacketsNoLadders) {
    EXPECT_TRUE(make_ladders({}, english).ladders.empty());
}

} // namespace
} // namespace nfqws2::ctl
