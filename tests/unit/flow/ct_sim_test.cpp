#include "nfqws2/flow/ct_sim.hpp"

#include "flow/ct_ftp.hpp"
#include "flow/ct_table.hpp"
#include "packets.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <utility>

namespace nfqws2::flow::test {
namespace {

using packet::CtDirection;
using packet::CtState;
namespace status = packet::ct_status;

constexpr std::uint8_t syn = tf::syn, ack = tf::ack, fin = tf::fin, rst = tf::rst;

class CtSimTest : public ::testing::Test {
  protected:
    CtSim::Seen feed(const Packet& p) {
        const packet::Dissect d = dissected(p);
        const auto found = table.feed(d);
        return sim.arrives(d, found.track, found.reverse);
    }
    // "state/direction"
    std::string see(const Packet& p) {
        last = feed(p);
        std::string text(name(last.state));
        if (last.direction != CtDirection::unknown)
            text += last.direction == CtDirection::reply ? "/reply" : "/original";
        return text;
    }
    packet::Connection now() { return sim.describe(last.connection); }
    std::string tcp_state() { return std::string(name(now().tcp_state)); }
    std::uint32_t bits() { return *now().status; }
    void pass(double seconds) {
        clock.advance_to(clock.boot_ns() + static_cast<std::int64_t>(seconds * 1e9));
    }
    // A control connection in which something was said.
    void say(const Ends& from, std::uint32_t seq, std::string_view text) {
        Packet p = tcp(from, {.flags = ack, .seq = seq, .payload = text.size()});
        std::copy(text.begin(), text.end(), p.end() - static_cast<std::ptrdiff_t>(text.size()));
        feed(p);
    }
    void open_ftp() {
        feed(tcp(control, {.flags = syn, .seq = 99}));
        feed(tcp(control.reversed(), {.flags = syn | ack, .seq = 499, .ack = 100}));
        last = feed(tcp(control, {.flags = ack, .seq = 100, .ack = 500}));
    }

    VirtualClock clock{1'700'000'000'000'000'000};
    ConnectionTable table{TableOptions{}, clock};
    CtSim sim{{{21}, {1, 2}, nullptr}, &table, clock};
    CtSim::Seen last;
    Ends ends{"10.0.0.1", "10.0.0.2", 1025, 443};
    Ends back = ends.reversed();
    Ends control{"10.77.1.2", "10.77.2.2", 40000, 21};
};

// Observed with a kernel.
TEST_F(CtSimTest, AConnectionFromItsFirstPacketToItsEnd) {
    EXPECT_EQ(see(tcp(ends, {.flags = syn, .seq = 9})), "new/original");
    EXPECT_TRUE(last.first);
    EXPECT_EQ(tcp_state(), "syn_sent");
    EXPECT_EQ(*now().timeout, 120U);
    EXPECT_EQ(bits(), 0U);
    EXPECT_EQ(see(tcp(ends, {.flags = syn, .seq = 9})), "new/original");
    EXPECT_FALSE(last.first);
    EXPECT_EQ(bits(), status::confirmed);
    EXPECT_EQ(see(tcp(back, {.flags = syn | ack, .seq = 99, .ack = 10})), "established/reply");
    EXPECT_EQ(tcp_state(), "syn_recv");
    EXPECT_EQ(*now().timeout, 60U);
    EXPECT_EQ(bits(), status::confirmed | status::seen_reply);
    EXPECT_EQ(see(tcp(ends, {.flags = ack, .seq = 10, .ack = 100})), "established/original");
    EXPECT_EQ(tcp_state(), "established");
    EXPECT_EQ(*now().timeout, 432000U);
    EXPECT_EQ(bits(), status::confirmed | status::seen_reply | status::assured);
    EXPECT_EQ(see(tcp(ends, {.flags = ack, .seq = 10, .ack = 100, .payload = 5})),
              "established/original");
    EXPECT_EQ(*now().timeout, 300U); // not acknowledged yet
    EXPECT_EQ(see(tcp(back, {.flags = fin | ack, .seq = 100, .ack = 15})), "established/reply");
    EXPECT_EQ(tcp_state(), "fin_wait");
    EXPECT_EQ(see(tcp(back, {.flags = rst, .seq = 101})), "established/reply");
    EXPECT_EQ(tcp_state(), "close");
    EXPECT_EQ(*now().timeout, 10U);
    EXPECT_EQ(now().orig_counter.packets, 4U);
    EXPECT_EQ(now().orig_counter.bytes, 4 * 40 + 5U);
    EXPECT_EQ(now().reply_counter.packets, 3U);
}

TEST_F(CtSimTest, ClosingInOrder) {
    see(tcp(ends, {.flags = syn, .seq = 9}));
    see(tcp(back, {.flags = syn | ack, .seq = 99, .ack = 10}));
    see(tcp(ends, {.flags = ack, .seq = 10, .ack = 100}));
    const std::pair<Packet, const char*> steps[] = {
        {tcp(ends, {.flags = fin | ack, .seq = 10, .ack = 100}), "fin_wait"},
        {tcp(back, {.flags = ack, .seq = 100, .ack = 11}), "close_wait"},
        {tcp(back, {.flags = fin | ack, .seq = 100, .ack = 11}), "last_ack"},
        {tcp(ends, {.flags = ack, .seq = 11, .ack = 101}), "time_wait"},
    };
    for (const auto& [p, state] : steps) {
        see(p);
        EXPECT_EQ(tcp_state(), state);
    }
}

TEST_F(CtSimTest, WhatMayBeginAConnection) {
    const std::pair<std::uint8_t, const char*> rows[] = {
        {syn, "new/original"},  {ack, "new/original"},  {ack | tf::psh, "new/original"},
        {syn | ack, "invalid"}, {rst, "invalid"},       {rst | ack, "invalid"},
        {fin, "invalid"},       {fin | ack, "invalid"}, {syn | fin, "invalid"},
        {0, "invalid"},
    };
    std::uint16_t port = 2000;
    for (const auto& [flags, state] : rows) {
        Ends one = ends;
        one.source_port = port++;
        EXPECT_EQ(see(tcp(one, {.flags = flags})), state) << int{flags};
        EXPECT_EQ(static_cast<bool>(last.connection), std::string(state) != "invalid");
    }
}

TEST_F(CtSimTest, AnAnswerAloneMakesATrackButNoConnection) {
    EXPECT_EQ(see(tcp(back, {.flags = syn | ack, .seq = 1, .ack = 1})), "invalid");
    EXPECT_EQ(table.size(), 1U);
    EXPECT_EQ(see(tcp(ends, {.flags = ack})), "new/original");
    EXPECT_EQ(tcp_state(), "established");
    EXPECT_EQ(*now().timeout, 300U);
    EXPECT_EQ(see(tcp(back, {.flags = ack})), "established/reply");
}

TEST_F(CtSimTest, TheServerMayHaveBegunWhatIsSeen) {
    see(tcp(back, {.flags = syn | ack, .seq = 1, .ack = 1}));
    EXPECT_EQ(see(tcp(back, {.flags = ack})), "new/original");
    EXPECT_EQ(now().orig.sport, 443);
    EXPECT_EQ(see(tcp(ends, {.flags = ack})), "established/reply");
}

TEST_F(CtSimTest, TcpWhoseBeginningWasNotSeen) {
    EXPECT_EQ(see(tcp(ends, {.flags = ack})), "new/original");
    EXPECT_EQ(table.size(), 0U);
    EXPECT_EQ(see(tcp(ends, {.flags = ack})), "new/original");
    EXPECT_EQ(see(tcp(back, {.flags = ack})), "established/reply");
    EXPECT_EQ(see(tcp(ends, {.flags = ack})), "established/original");
    EXPECT_NE(bits() & status::assured, 0U);
    see(tcp(ends, {.flags = syn}));
    EXPECT_EQ(sim.size(), 1U); // the new flow takes its place
}

TEST_F(CtSimTest, Udp) {
    EXPECT_EQ(see(udp(ends, 4)), "new/original");
    const std::uint32_t id = *now().id;
    EXPECT_EQ(see(udp(ends, 4)), "new/original");
    EXPECT_EQ(see(udp(back, 4)), "established/reply");
    EXPECT_EQ(see(udp(ends, 4)), "established/original");
    EXPECT_EQ(*now().timeout, 30U);
    EXPECT_EQ(bits() & status::assured, 0U);
    pass(2.5);
    see(udp(ends, 4));
    EXPECT_EQ(*now().timeout, 120U);
    EXPECT_NE(bits() & status::assured, 0U);
    EXPECT_EQ(*now().id, id);
}

TEST_F(CtSimTest, EchoAndOtherProtocols) {
    Packet ask = icmp(ends), answer = icmp(back);
    answer[20] = 0;
    EXPECT_EQ(see(answer), "invalid");
    EXPECT_EQ(see(ask), "new/original");
    EXPECT_EQ(*now().timeout, 30U);
    EXPECT_EQ(now().reply.icmp_type, 0);
    EXPECT_EQ(see(answer), "established/reply");
    EXPECT_EQ(see(ask), "established/original");
    pass(31);
    EXPECT_EQ(see(answer), "invalid"); // its time was over
    Packet gre = udp(ends, 4), gre_back = udp(back, 4);
    gre[9] = gre_back[9] = 47;
    EXPECT_EQ(see(gre), "new/original");
    EXPECT_EQ(*now().timeout, 600U);
    EXPECT_FALSE(now().orig.has_ports());
    EXPECT_EQ(see(gre_back), "established/reply");
    Packet fragment = udp(ends, 4);
    fragment[6] = 0x20;
    EXPECT_EQ(see(fragment), "invalid");
    EXPECT_EQ(see(Packet{1, 2, 3}), "invalid");
}

TEST_F(CtSimTest, Errors) {
    const Packet there = udp(ends, 4), here = udp(back, 4);
    const packet::Dissect query = dissected(there);
    EXPECT_EQ(sim.arrives_about(query, nullptr, false).state, CtState::invalid);
    feed(udp(ends, 4));
    auto found = table.find(query);
    CtSim::Seen seen = sim.arrives_about(query, found.track, found.reverse);
    EXPECT_EQ(seen.state, CtState::related);
    EXPECT_EQ(seen.direction, CtDirection::reply);
    const packet::Dissect answer = dissected(here);
    found = table.find(answer);
    seen = sim.arrives_about(answer, found.track, found.reverse);
    EXPECT_EQ(seen.direction, CtDirection::original);
    EXPECT_EQ(sim.arrives_about({}, nullptr, false).state, CtState::invalid);
}

TEST_F(CtSimTest, ADroppedFirstPacketLeavesNothing) {
    CtSim::Seen seen = feed(udp(ends, 4));
    EXPECT_EQ(sim.size(), 1U);
    sim.dropped(seen);
    EXPECT_EQ(sim.size(), 0U);
    EXPECT_EQ(see(udp(ends, 4)), "new/original");
    EXPECT_EQ(now().orig_counter.packets, 1U);
    sim.dropped(feed(udp(ends, 4))); // the second one
    EXPECT_EQ(sim.size(), 1U);
}

TEST_F(CtSimTest, WhatTheProgramSendsConfirms) {
    const CtSim::Seen seen = feed(udp(ends, 4));
    Ends other = ends;
    other.source_port = 9;
    sim.sent(dissected(udp(other, 4)));
    EXPECT_EQ(*sim.describe(seen.connection).status, 0U);
    sim.sent(dissected(udp(ends, 9)));
    EXPECT_EQ(*sim.describe(seen.connection).status, status::confirmed);
    sim.dropped(seen);
    EXPECT_EQ(sim.size(), 1U);
}

TEST_F(CtSimTest, LookUps) {
    feed(tcp(ends, {.flags = syn}));
    feed(tcp(back, {.flags = syn | ack, .ack = 1}));
    packet::CtTuple t;
    t.proto = 6;
    t.src = *IpAddress::parse("10.0.0.2");
    t.dst = *IpAddress::parse("10.0.0.1");
    t.sport = 443;
    t.dport = 1025;
    const CtRef found = sim.find(t);
    ASSERT_TRUE(found);
    const packet::Connection c = sim.describe(found);
    EXPECT_EQ(c.orig.sport, 1025);
    EXPECT_EQ(name(c.tcp_state), "syn_recv");
    EXPECT_EQ(c.orig_counter.packets, 1U);
    EXPECT_EQ(c.orig_counter.bytes, 40U);
    t.dport = 1026;
    EXPECT_FALSE(sim.find(t));
    unsigned visited = 0;
    sim.for_each([&](CtRef) { visited++; });
    EXPECT_EQ(visited, 1U);
}

TEST_F(CtSimTest, TheEndOfAFlow) {
    feed(udp(ends, 4));
    const auto found = table.find(dissected(udp(ends, 4)));
    sim.track_ended(*found.track);
    EXPECT_EQ(sim.size(), 0U);
    EXPECT_FALSE(sim.find(*found.track));
}

TEST_F(CtSimTest, Changes) {
    const CtSim::Seen seen = feed(udp(ends, 4));
    packet::CtChanges changes;
    changes.mark = 0xAB;
    changes.mark_mask = 0x0F;
    changes.timeout = 999;
    changes.status = status::assured;
    changes.helper = packet::CtHelper("h");
    changes.labels.emplace().fill(0xFF);
    changes.labels_mask.emplace().fill(0x0F);
    sim.set(seen.connection, changes);
    const packet::Connection c = sim.describe(seen.connection);
    EXPECT_EQ(*c.mark, 0x0BU);
    EXPECT_EQ(*c.timeout, 999U);
    EXPECT_EQ(*c.status, status::assured);
    EXPECT_EQ(c.helper.text(), "h");
    EXPECT_EQ((*c.labels)[3], 0x0F);
}

TEST(CtChanges, LaterValuesWin) {
    packet::CtChanges first, second;
    first.mark = 0xFF;
    first.mark_mask = 0xF0;
    second.mark = 0x01;
    second.mark_mask = 0x11;
    first.add(second);
    EXPECT_EQ(first.changed_mark(0x100), 0x1E1U);
}

TEST(CtChanges, LabelsAddUp) {
    packet::CtChanges first, second;
    first.labels.emplace().fill(0x01);
    first.labels_mask.emplace().fill(0x01);
    second.labels.emplace().fill(0x02);
    second.labels_mask.emplace().fill(0x06);
    first.add(second);
    EXPECT_EQ((*first.labels)[0], 0x03);
    EXPECT_EQ((*first.labels_mask)[15], 0x07);
    second.labels_mask.reset(); // all bits
    first.add(second);
    EXPECT_EQ((*first.labels)[0], 0x02);
    EXPECT_FALSE(first.labels_mask);
}

// A look-up must not take away what the packet on its way is about.
TEST_F(CtSimTest, ALookUpLeavesWhatIsOver) {
    const CtSim::Seen seen = feed(icmp(ends));
    packet::CtChanges over;
    over.timeout = 0;
    sim.set(seen.connection, over);
    EXPECT_FALSE(sim.find(*ct_tuple_of(dissected(icmp(ends)))));
    EXPECT_EQ(sim.size(), 1U);
    over.mark = 7;
    sim.set(seen.connection, over);
    sim.dropped(seen);
    EXPECT_EQ(sim.size(), 0U);
}

TEST_F(CtSimTest, PortsAreUsedAgainWithoutATrack) {
    CtSim alone{{{21}, {1, 2}, nullptr}, nullptr, clock};
    const auto state = [&](const Packet& p) {
        return std::string(name(alone.arrives(dissected(p), nullptr, false).state));
    };
    EXPECT_EQ(state(tcp(ends, {.flags = syn, .seq = 9})), "new");
    EXPECT_EQ(state(tcp(back, {.flags = syn | ack, .seq = 99, .ack = 10})), "established");
    EXPECT_EQ(state(tcp(back, {.flags = rst | ack, .seq = 100, .ack = 10})), "established");
    EXPECT_EQ(state(tcp(ends, {.flags = syn, .seq = 5009})), "new");
}

TEST_F(CtSimTest, SmallTableHasALimit) {
    for (std::size_t i = 0; i < detail::CtSmallTable::most + 10; i++) {
        Packet gre = udp(ends, 0);
        gre[9] = 47;
        store_be32(gre.data() + 16, static_cast<std::uint32_t>(0x0B000000 + i));
        feed(gre);
    }
    EXPECT_EQ(sim.size(), detail::CtSmallTable::most);
}

TEST_F(CtSimTest, FtpAnnouncesAConnection) {
    open_ftp();
    EXPECT_EQ(now().helper.text(), "ftp");
    say(control.reversed(), 500, "227 Entering Passive Mode (10,77,2,2,195,180)\r\n");
    const Ends data{"10.77.1.2", "10.77.2.2", 50001, 50100};
    EXPECT_EQ(see(tcp(data, {.flags = syn})), "related/original");
    EXPECT_EQ(now().master->dport, 21);
    EXPECT_EQ(now().master_helper.text(), "ftp");
    EXPECT_NE(bits() & status::expected, 0U);
    EXPECT_EQ(see(tcp(data.reversed(), {.flags = syn | ack})), "established/reply");
    Ends second = data;
    second.source_port = 50002;
    EXPECT_EQ(see(tcp(second, {.flags = syn})), "new/original"); // one match
}

TEST_F(CtSimTest, FtpInEveryForm) {
    struct Form {
        bool by_server;
        const char* text;
        Ends data;
    };
    const Form forms[] = {
        {true,
         "229 Entering Extended Passive Mode (|||50000|)\r\n",
         {"10.77.1.2", "10.77.2.2", 1, 50000}},
        {false, "PORT 10,77,1,2,0,99\r\n", {"10.77.2.2", "10.77.1.2", 20, 99}},
        {false, "eprt |1|10.77.1.2|6000|\r\n", {"10.77.2.2", "10.77.1.2", 20, 6000}},
    };
    open_ftp();
    std::uint32_t server_seq = 500, client_seq = 100;
    for (const Form& f : forms) {
        std::uint32_t& seq = f.by_server ? server_seq : client_seq;
        say(f.by_server ? control.reversed() : control, seq, f.text);
        seq += static_cast<std::uint32_t>(std::string_view(f.text).size());
        EXPECT_EQ(see(tcp(f.data, {.flags = syn})), "related/original") << f.text;
    }
}

TEST_F(CtSimTest, AnExpectationEndsByItself) {
    open_ftp();
    say(control.reversed(), 500, "227 x (10,77,2,2,195,180)\r\n");
    pass(301);
    EXPECT_EQ(see(tcp({"10.77.1.2", "10.77.2.2", 1, 50100}, {.flags = syn})), "new/original");
}

TEST_F(CtSimTest, ExpectationsOfScriptsNeedAHelper) {
    const CtSim::Seen seen = feed(udp(ends, 4));
    packet::CtExpectation wanted;
    wanted.tuple.proto = 17;
    wanted.tuple.dst = *IpAddress::parse("10.9.9.9");
    wanted.tuple.dport = 77;
    EXPECT_EQ(sim.expect(seen.connection, wanted), EOPNOTSUPP);
    packet::CtChanges changes;
    changes.helper = packet::CtHelper("h");
    changes.mark = 5;
    sim.set(seen.connection, changes);
    EXPECT_EQ(sim.expect(seen.connection, wanted), 0);
    EXPECT_EQ(sim.expect(seen.connection, wanted), EEXIST);
    EXPECT_EQ(see(udp({"10.1.1.1", "10.9.9.9", 5, 77}, 1)), "related/original");
    EXPECT_EQ(*now().mark, 5U);
}

// --- what scripts hear and change

class Listener final : public CtObserver {
  public:
    void on_event(CtEvent event, const packet::Connection& c) override {
        constexpr const char* words[] = {"new", "update", "destroy"};
        heard += heard.empty() ? "" : " ";
        heard += words[static_cast<int>(event)] + std::string(":") + std::to_string(c.orig.dport);
        if (c.tcp_state != packet::CtTcp::unknown) heard += "/" + std::string(name(c.tcp_state));
    }
    std::string take() { return std::exchange(heard, {}); }
    std::string heard;
};

class CtEvents : public CtSimTest {
  protected:
    CtEvents() { sim.add_observer(listener); }
    ~CtEvents() override { sim.remove_observer(listener); }
    // A packet that passes.
    std::string pass_on(const Packet& p) {
        last = feed(p);
        sim.passed(last);
        return listener.take();
    }
    Listener listener;
};

TEST_F(CtEvents, OfAConnection) {
    EXPECT_EQ(pass_on(tcp(ends, {.flags = syn, .seq = 9})), "new:443/syn_sent");
    EXPECT_EQ(pass_on(tcp(ends, {.flags = syn, .seq = 9})), "");
    EXPECT_EQ(pass_on(tcp(back, {.flags = syn | ack, .seq = 99, .ack = 10})),
              "update:443/syn_recv");
    EXPECT_EQ(pass_on(tcp(ends, {.flags = ack, .seq = 10, .ack = 100})), "update:443/established");
    EXPECT_EQ(pass_on(tcp(ends, {.flags = ack, .seq = 10, .ack = 100, .payload = 5})), "");
    packet::CtChanges changes;
    changes.mark = 5;
    sim.set(last.connection, changes);
    EXPECT_EQ(listener.take(), "update:443/established");
    sim.set(last.connection, changes); // the same
    EXPECT_EQ(listener.take(), "");
    const CtSim::Seen seen = last;
    sim.remove(seen.connection);
    EXPECT_EQ(listener.take(), "destroy:443/established");
    sim.remove(seen.connection);
    EXPECT_EQ(listener.take(), "");
}

TEST_F(CtEvents, OfPacketsThatDoNotPass) {
    last = feed(udp(ends, 4));
    sim.dropped(last);
    EXPECT_EQ(listener.take(), "");
    EXPECT_EQ(pass_on(udp(ends, 4)), "new:443");
    EXPECT_EQ(pass_on(udp(back, 4)), "update:443");
    last = feed(udp({"10.0.0.1", "10.0.0.2", 7, 53}, 4)); // put aside: the next one tells
    EXPECT_EQ(listener.take(), "");
    feed(udp({"10.0.0.1", "10.0.0.2", 7, 53}, 4));
    EXPECT_EQ(listener.take(), "new:53");
}

TEST_F(CtEvents, OfWhatEndsByItself) {
    EXPECT_EQ(pass_on(icmp(ends)), "new:0");
    pass(31);
    EXPECT_EQ(pass_on(icmp(ends)), "destroy:0 new:0");
}

TEST_F(CtEvents, RemovedOnesAreFoundByNobody) {
    for (const bool tracked : {true, false}) {
        const Packet p = tracked ? tcp(ends, {.flags = syn, .seq = 9}) : icmp(ends);
        const packet::CtTuple tuple = *ct_tuple_of(dissected(p));
        const CtSim::Seen seen = feed(p);
        const std::uint32_t id = *sim.describe(seen.connection).id;
        sim.remove(seen.connection);
        EXPECT_FALSE(sim.find(tuple));
        unsigned others = 0;
        sim.for_each([&](CtRef) { others++; });
        EXPECT_EQ(others, tracked ? 0U : 1U);
        EXPECT_EQ(*sim.describe(seen.connection).id, id); // the packet still has it
        packet::CtChanges changes;
        changes.mark = 7;
        sim.set(seen.connection, changes);
        sim.passed(seen);
        EXPECT_EQ(listener.take(), "");
        EXPECT_EQ(see(p), "new/original");
        EXPECT_TRUE(last.first);
    }
}

TEST_F(CtEvents, MadeByHand) {
    const packet::CtTuple tuple = *ct_tuple_of(dissected(tcp(ends, {.flags = syn})));
    const CtRef made = sim.create(tuple, packet::CtTcp::established);
    ASSERT_TRUE(made);
    EXPECT_FALSE(sim.create(tuple, packet::CtTcp::none));
    packet::CtChanges changes;
    changes.mark = 7;
    sim.set(made, changes);
    sim.created(made);
    EXPECT_EQ(listener.take(), "new:443/established");
    // The flow takes it over, with its mark.
    EXPECT_EQ(see(tcp(ends, {.flags = syn, .seq = 9})), "new/original");
    EXPECT_FALSE(last.first);
    EXPECT_EQ(*now().mark, 7U);
    EXPECT_EQ(sim.size(), 1U);
    EXPECT_EQ(see(tcp(back, {.flags = syn | ack, .seq = 99, .ack = 10})), "established/reply");
}

TEST_F(CtEvents, MadeAgainWhileItsPacketIsOnTheWay) {
    const packet::CtTuple tuple = *ct_tuple_of(dissected(icmp(ends)));
    const CtSim::Seen seen = feed(icmp(ends));
    sim.remove(seen.connection);
    EXPECT_TRUE(sim.create(tuple, packet::CtTcp::unknown));
    sim.passed(seen);
    sim.dropped(seen);
    EXPECT_EQ(sim.size(), 1U);
}

TEST_F(CtEvents, ByHandUntilTheTableIsFull) {
    packet::CtTuple tuple = *ct_tuple_of(dissected(icmp(ends)));
    tuple.proto = 132;
    for (std::size_t i = 0; i < detail::CtSmallTable::most; i++) {
        tuple.sport = static_cast<std::uint16_t>(i);
        ASSERT_TRUE(sim.create(tuple, packet::CtTcp::unknown));
    }
    tuple.dport = 1;
    EXPECT_FALSE(sim.create(tuple, packet::CtTcp::unknown));
}

TEST_F(CtSimTest, PortsOfOtherTransports) {
    Packet p = udp(ends, 4);
    p[9] = 132;
    const auto tuple = ct_tuple_of(dissected(p));
    ASSERT_TRUE(tuple);
    EXPECT_EQ(tuple->sport, 1025);
    EXPECT_EQ(tuple->dport, 443);
    EXPECT_EQ(see(p), "new/original");
    Packet q = udp(back, 4);
    q[9] = 132;
    EXPECT_EQ(see(q), "established/reply");
    Packet other = udp({"10.0.0.1", "10.0.0.2", 1026, 443}, 4);
    other[9] = 132;
    EXPECT_EQ(see(other), "new/original");
}

// --- lines of FTP

std::string told(std::string_view line, bool from_server) {
    const auto a = detail::read_ftp_line(line, from_server);
    return a ? a->address.text() + ":" + std::to_string(a->port) : "-";
}

TEST(CtFtp, Lines) {
    EXPECT_EQ(told("227 Entering Passive Mode (1,2,3,4,195,180).", true), "1.2.3.4:50100");
    EXPECT_EQ(told("229 x (|||7|)", true), ":7");
    EXPECT_EQ(told("EPRT |2|2001:db8::1|7|", false), "2001:db8::1:7");
    for (const char* bad : {"227", "227 x (1,2,3,4,5)", "227 x (1,2,3,4,5,6,7)",
                            "227 x (1,2,3,4,5,256)", "227 (", "227 x (1,2,3,4,0,0)", "229 (||||)",
                            "229 (|||65536|)", "229 ()", "228 x (1,2,3,4,5,6)", "PORT 1,2,3,4,5,6"})
        EXPECT_EQ(told(bad, true), "-") << bad;
    for (const char* bad :
         {"PORT", "PORT ", "PORT x", "EPRT |1|2001:db8::1|7|", "EPRT |||7|", "227 x (1,2,3,4,5,6)"})
        EXPECT_EQ(told(bad, false), "-") << bad;
}

TEST(CtFtp, LinesOutOfSegments) {
    detail::FtpLines lines;
    std::vector<std::string> got;
    const auto feed = [&](std::uint32_t seq, std::string_view text) {
        lines.feed(seq, as_bytes(text), [&](std::string_view line) { got.emplace_back(line); });
    };
    feed(0xFFFFFFF0U, "one\r\ntw");
    feed(0xFFFFFFF0U, "one\r\ntw"); // once more
    feed(0xFFFFFFF7U, "o\nthree");
    feed(0x1000, "lost\nfour\n");
    feed(0x100A, std::string(600, 'x'));
    feed(0x100A + 600, "y\nfive\n");
    EXPECT_EQ(got, (std::vector<std::string>{"one", "two", "lost", "four", "five"}));
}

} // namespace
} // namespace nfqws2::flow::test
