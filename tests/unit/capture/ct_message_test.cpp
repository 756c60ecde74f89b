#include "../ct_tuple.hpp"
#include "nfqws2/capture/ct_message.hpp"

#include "nfqws2/capture/verdict_batch.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_queue.h>

#include <map>
#include <vector>

namespace nfqws2::capture {
namespace {

using packet::CtDirection;
using packet::CtState;
using test::tcp_tuple;

// The numbers of 32 bits in attributes, by type.
using Numbers = std::map<unsigned, std::uint32_t>;
int read_number(const nlattr* a, void* out) {
    if (mnl_attr_get_payload_len(a) == 4)
        (*static_cast<Numbers*>(out))[mnl_attr_get_type(a)] = ntohl(mnl_attr_get_u32(a));
    return MNL_CB_OK;
}

// The id of a verdict, and the mark that it gives to the connection.
struct Judged {
    unsigned id = 0, mark = 0;
    bool operator==(const Judged&) const = default;
};
int read_verdict(const nlattr* a, void* out) {
    auto& judged = *static_cast<Judged*>(out);
    if (mnl_attr_get_type(a) == NFQA_VERDICT_HDR)
        judged.id = ntohl(static_cast<const nfqnl_msg_verdict_hdr*>(mnl_attr_get_payload(a))->id);
    if (mnl_attr_get_type(a) == NFQA_CT) {
        Numbers numbers;
        mnl_attr_parse_nested(a, read_number, &numbers);
        judged.mark = numbers[CTA_MARK];
    }
    return MNL_CB_OK;
}

class CtMessageTest : public ::testing::Test {
  protected:
    Bytes attributes() const {
        return {static_cast<const std::uint8_t*>(mnl_nlmsg_get_payload(message)),
                mnl_nlmsg_get_payload_len(message)};
    }
    void put32(std::uint16_t type, std::uint32_t value) {
        mnl_attr_put_u32(message, type, htonl(value));
    }
    alignas(8) char buffer[2048] = {};
    nlmsghdr* message = mnl_nlmsg_put_header(buffer);
};

TEST_F(CtMessageTest, AWholeConnection) {
    put_tuple(message, CTA_TUPLE_ORIG, tcp_tuple("10.0.0.1", "10.0.0.2", 1025, 443));
    put_tuple(message, CTA_TUPLE_REPLY, tcp_tuple("10.0.0.2", "192.0.2.1", 443, 7777));
    put_tuple(message, CTA_TUPLE_MASTER, tcp_tuple("10.0.0.1", "10.0.0.2", 40000, 21));
    put32(CTA_STATUS, 0x19A);
    put32(CTA_TIMEOUT, 300);
    put32(CTA_MARK, 7);
    put32(CTA_ID, 0xFFFFFFFE);
    mnl_attr_put_u16(message, CTA_ZONE, htons(3));
    nlattr* info = mnl_attr_nest_start(message, CTA_PROTOINFO);
    nlattr* tcp = mnl_attr_nest_start(message, CTA_PROTOINFO_TCP);
    mnl_attr_put_u8(message, CTA_PROTOINFO_TCP_STATE, 3);
    mnl_attr_nest_end(message, tcp);
    mnl_attr_nest_end(message, info);
    nlattr* help = mnl_attr_nest_start(message, CTA_HELP);
    mnl_attr_put_strz(message, CTA_HELP_NAME, "ftp");
    mnl_attr_nest_end(message, help);
    packet::Connection c;
    ASSERT_TRUE(parse_connection(attributes(), c));
    EXPECT_EQ(c.orig, tcp_tuple("10.0.0.1", "10.0.0.2", 1025, 443));
    EXPECT_EQ(c.reply.dport, 7777);
    EXPECT_EQ(c.master->dport, 21);
    EXPECT_EQ(*c.status, 0x19AU);
    EXPECT_EQ(*c.timeout, 300U);
    EXPECT_EQ(*c.mark, 7U);
    EXPECT_EQ(*c.id, 0xFFFFFFFEU);
    EXPECT_EQ(c.zone, 3);
    EXPECT_EQ(name(c.tcp_state), "established");
    EXPECT_EQ(c.helper.text(), "ftp");
    EXPECT_FALSE(c.counted);
    // Whatever is cut off, nothing is read behind the end.
    for (std::size_t size = 0; size < attributes().size(); size++) {
        packet::Connection part;
        parse_connection(attributes().first(size), part);
    }
}

TEST_F(CtMessageTest, EchoAndV6) {
    packet::CtTuple t = tcp_tuple("2001:db8::1", "2001:db8::2", 0, 0);
    t.proto = 58;
    t.icmp_type = 128;
    t.icmp_id = 99;
    put_tuple(message, CTA_TUPLE_ORIG, t);
    put_tuple(message, CTA_TUPLE_REPLY, t);
    packet::Connection c;
    ASSERT_TRUE(parse_connection(attributes(), c));
    EXPECT_EQ(c.orig, t);
}

TEST_F(CtMessageTest, NothingWholeInIt) {
    put_tuple(message, CTA_TUPLE_ORIG, tcp_tuple("10.0.0.1", "10.0.0.2", 1, 2));
    packet::Connection c;
    EXPECT_FALSE(parse_connection(attributes(), c));
    EXPECT_FALSE(parse_connection({}, c));
}

TEST_F(CtMessageTest, WrittenAndReadAgain) {
    packet::Connection c;
    c.orig = tcp_tuple("10.0.0.1", "10.0.0.2", 1025, 21);
    c.reply = tcp_tuple("10.0.0.2", "10.0.0.1", 21, 1025);
    c.master = tcp_tuple("10.0.0.1", "10.0.0.2", 7, 8);
    c.id = 0x80000001;
    c.mark = 5;
    c.status = 0x18E;
    c.timeout = 300;
    c.zone = 9;
    c.tcp_state = packet::CtTcp::established;
    c.helper = packet::CtHelper("ftp");
    c.counted = true;
    c.orig_counter = {3, 1ULL << 40};
    c.reply_counter = {1, 40};
    c.labels.emplace().fill(7);
    put_connection(message, c);
    packet::Connection again;
    ASSERT_TRUE(parse_connection(attributes(), again));
    EXPECT_EQ(again.orig, c.orig);
    EXPECT_EQ(again.reply, c.reply);
    EXPECT_EQ(again.master, c.master);
    EXPECT_EQ(again.id, c.id);
    EXPECT_EQ(again.mark, c.mark);
    EXPECT_EQ(again.status, c.status);
    EXPECT_EQ(again.timeout, c.timeout);
    EXPECT_EQ(again.zone, 9);
    EXPECT_EQ(again.tcp_state, c.tcp_state);
    EXPECT_EQ(again.helper.text(), "ftp");
    EXPECT_EQ(again.orig_counter.bytes, 1ULL << 40);
    EXPECT_EQ(again.reply_counter.packets, 1U);
    EXPECT_EQ(again.labels, c.labels);
}

TEST_F(CtMessageTest, PortsOfOtherTransports) {
    for (const int proto : {33, 132, 136, 47}) {
        packet::Connection c;
        c.orig = tcp_tuple("10.0.0.1", "10.0.0.2", 1025, 21);
        c.reply = tcp_tuple("10.0.0.2", "10.0.0.1", 21, 1025);
        c.orig.proto = c.reply.proto = static_cast<std::uint8_t>(proto);
        message = mnl_nlmsg_put_header(buffer);
        put_connection(message, c);
        packet::Connection again;
        ASSERT_TRUE(parse_connection(attributes(), again));
        EXPECT_EQ(again.orig, c.orig) << proto;
    }
}

TEST_F(CtMessageTest, Expectations) {
    packet::CtExpectation wanted;
    wanted.tuple = tcp_tuple("10.0.0.2", "10.0.0.1", 0, 5000);
    wanted.tuple.src = IpAddress(); // any
    wanted.timeout = 30;
    wanted.permanent = true;
    wanted.helper = packet::CtHelper("ftp");
    put_expectation(message, tcp_tuple("10.0.0.1", "10.0.0.2", 1025, 21), wanted);
    const auto again = parse_expectation(attributes());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->master, tcp_tuple("10.0.0.1", "10.0.0.2", 1025, 21));
    EXPECT_EQ(again->expectation.tuple, wanted.tuple);
    EXPECT_EQ(again->expectation.timeout, 30U);
    EXPECT_TRUE(again->expectation.permanent);
    EXPECT_EQ(again->expectation.helper.text(), "ftp");
    EXPECT_FALSE(parse_expectation({}));
}

TEST(CtInfo, AllValues) {
    EXPECT_EQ(ct_info(0).state, CtState::established);
    EXPECT_EQ(ct_info(0).direction, CtDirection::original);
    EXPECT_EQ(ct_info(1).state, CtState::related);
    EXPECT_EQ(ct_info(2).state, CtState::fresh);
    EXPECT_EQ(ct_info(3).state, CtState::established);
    EXPECT_EQ(ct_info(3).direction, CtDirection::reply);
    EXPECT_EQ(ct_info(4).state, CtState::related);
    EXPECT_EQ(ct_info(5).state, CtState::unknown);
    EXPECT_EQ(ct_info(77).state, CtState::unknown);
}

// The kernel clears the bits of the mask, then puts the mark in.
TEST_F(CtMessageTest, ChangesOfTheMark) {
    packet::CtChanges changes;
    changes.mark = 0xFF;
    changes.mark_mask = 0xF0;
    changes.status = packet::ct_status::assured;
    put_changes(message, changes, 8);
    Numbers numbers;
    mnl_attr_parse(message, 0, read_number, &numbers);
    EXPECT_EQ(numbers[CTA_MARK], 0xF0U);
    EXPECT_EQ(numbers[CTA_MARK_MASK], 0xF0U);
    EXPECT_EQ(numbers[CTA_STATUS], 12U);
}

// A verdict with a change is no part of a run, and the order is kept.
TEST(CtVerdicts, CutTheBatch) {
    VerdictBatch batch({5});
    packet::CtChanges changes;
    changes.mark = 0x77;
    Verdict changed;
    changed.ct = &changes;
    EXPECT_TRUE(batch.add(1, 0, {}));
    EXPECT_TRUE(batch.add(2, 0, {}));
    EXPECT_TRUE(batch.add(3, 0, changed));
    EXPECT_TRUE(batch.add(4, 0, {}));
    const Bytes raw = batch.messages();
    int left = static_cast<int>(raw.size());
    std::vector<Judged> seen;
    const auto* h = reinterpret_cast<const nlmsghdr*>(raw.data());
    for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
        seen.emplace_back();
        mnl_attr_parse(h, sizeof(nfgenmsg), read_verdict, &seen.back());
    }
    EXPECT_EQ(seen, (std::vector<Judged>{{2, 0}, {3, 0x77}, {4, 0}}));
}

} // namespace
} // namespace nfqws2::capture
