#include "nfqws2/capture/verdict_batch.hpp"

#include "packets.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>

namespace nfqws2::capture {
namespace {

struct Message {
    bool batch;
    std::uint32_t id, verdict, mark;
    bool has_mark;
    std::string packet;
    bool operator==(const Message&) const = default;
};
void PrintTo(const Message& m, std::ostream* out) {
    *out << (m.batch ? "batch" : "single") << " id=" << m.id << " verdict=" << m.verdict
         << " mark=" << m.mark << "/" << m.has_mark << " packet=" << m.packet.size();
}

int read_attribute(const nlattr* a, void* out) {
    auto& m = *static_cast<Message*>(out);
    if (mnl_attr_get_type(a) == NFQA_VERDICT_HDR) {
        const auto* v = static_cast<const nfqnl_msg_verdict_hdr*>(mnl_attr_get_payload(a));
        m.id = ntohl(v->id);
        m.verdict = ntohl(v->verdict);
    } else if (mnl_attr_get_type(a) == NFQA_MARK) {
        m.mark = ntohl(mnl_attr_get_u32(a));
        m.has_mark = true;
    } else if (mnl_attr_get_type(a) == NFQA_PAYLOAD) {
        m.packet.assign(static_cast<const char*>(mnl_attr_get_payload(a)),
                        mnl_attr_get_payload_len(a));
    } else {
        ADD_FAILURE() << "unexpected attribute";
    }
    return MNL_CB_OK;
}

// Reads the messages with libmnl's own walkers.
std::vector<Message> parsed(Bytes raw, std::uint16_t queue) {
    std::vector<Message> out;
    int left = static_cast<int>(raw.size());
    const auto* h = reinterpret_cast<const nlmsghdr*>(raw.data());
    for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
        Message m{};
        EXPECT_EQ(h->nlmsg_type >> 8, NFNL_SUBSYS_QUEUE);
        EXPECT_EQ(h->nlmsg_flags & NLM_F_ACK, 0) << "an answer to every verdict would be slow";
        const int type = h->nlmsg_type & 0xFF;
        EXPECT_TRUE(type == NFQNL_MSG_VERDICT || type == NFQNL_MSG_VERDICT_BATCH);
        m.batch = type == NFQNL_MSG_VERDICT_BATCH;
        const auto* family = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(h));
        EXPECT_EQ(ntohs(family->res_id), queue);
        EXPECT_GE(mnl_attr_parse(h, sizeof(nfgenmsg), read_attribute, &m), MNL_CB_STOP);
        out.push_back(m);
    }
    EXPECT_EQ(left, 0);
    return out;
}

constexpr Verdict accept{}, drop{Action::drop, {}};

TEST(VerdictBatch, EmptyUntilSomethingIsAdded) {
    VerdictBatch b({7});
    EXPECT_TRUE(b.empty());
    EXPECT_TRUE(b.messages().empty());
    EXPECT_TRUE(b.add(1, 0, accept));
    EXPECT_FALSE(b.empty());
    b.clear();
    EXPECT_TRUE(b.empty());
    EXPECT_TRUE(b.messages().empty());
}

TEST(VerdictBatch, OneAcceptedPacket) {
    VerdictBatch b({65535});
    b.add(42, 0xDEADBEEF, accept);
    EXPECT_EQ(parsed(b.messages(), 65535),
              (std::vector<Message>{{false, 42, NF_ACCEPT, 0xDEADBEEF, true, ""}}));
}

TEST(VerdictBatch, NeighboursWithOneMarkShareAMessage) {
    VerdictBatch b({3});
    for (std::uint32_t id = 10; id < 42; id++)
        EXPECT_TRUE(b.add(id, 5, accept));
    EXPECT_EQ(parsed(b.messages(), 3), (std::vector<Message>{{true, 41, NF_ACCEPT, 5, true, ""}}));
}

TEST(VerdictBatch, KeepsOrderAcrossMarksDropsAndChanges) {
    VerdictBatch b({3});
    b.add(1, 0, accept);
    b.add(2, 0, accept);
    b.add(3, 9, accept);
    b.add(4, 9, drop);
    b.add(5, 0, drop);
    b.add(6, 9, {Action::modify, as_bytes("new bytes")});
    b.add(7, 9, accept);
    EXPECT_EQ(parsed(b.messages(), 3),
              (std::vector<Message>{{true, 2, NF_ACCEPT, 0, false, ""},
                                    {false, 3, NF_ACCEPT, 9, true, ""},
                                    {false, 4, NF_DROP, 9, true, ""},
                                    {false, 5, NF_DROP, 0, false, ""},
                                    {false, 6, NF_ACCEPT, 9, true, "new bytes"},
                                    {false, 7, NF_ACCEPT, 9, true, ""}}));
}

TEST(VerdictBatch, CopiesTheModifiedPacket) {
    VerdictBatch b({3});
    std::string text = "first";
    b.add(1, 0, {Action::modify, as_bytes(text)});
    text = "other";
    EXPECT_EQ(parsed(b.messages(), 3)[0].packet, "first");
}

TEST(VerdictBatch, LargestModifiedPacketFitsBehindOthers) {
    VerdictBatch b({3});
    const std::string big(VerdictBatch::max_modified, 'x');
    b.add(1, 1, accept);
    ASSERT_TRUE(b.add(2, 1, {Action::modify, as_bytes(big)}));
    const auto m = parsed(b.messages(), 3);
    ASSERT_EQ(m.size(), 2U);
    EXPECT_EQ(m[1].packet, big);
}

TEST(VerdictBatch, WhatNetlinkCannotCarryPassesUnmodified) {
    testing::internal::CaptureStderr();
    VerdictBatch b({3});
    const std::string big(VerdictBatch::max_modified + 1, 'x');
    b.add(1, 0, {Action::modify, as_bytes(big)});
    b.add(2, 4, {Action::modify, {}});
    EXPECT_EQ(parsed(b.messages(), 3), (std::vector<Message>{{false, 1, NF_ACCEPT, 0, false, ""},
                                                             {false, 2, NF_ACCEPT, 4, true, ""}}));
    const std::string errors = testing::internal::GetCapturedStderr();
    EXPECT_NE(errors.find("65532"), std::string::npos) << errors;
}

TEST(VerdictBatch, SaysWhenItIsFullAndLosesNothing) {
    VerdictBatch b({3});
    const std::string packet(1500, 'p');
    std::uint32_t added = 0, total = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (;; added++) {
            // An accepted packet between two changed ones: an open run when it gets full.
            if (!b.add(2 * added, 1, accept)) break;
            if (!b.add(2 * added + 1, 1, {Action::modify, as_bytes(packet)})) break;
        }
        const auto messages = parsed(b.messages(), 3);
        ASSERT_GT(messages.size(), 60U);
        EXPECT_EQ(messages.back().id, 2 * added) << "the open run is in";
        total += static_cast<std::uint32_t>(messages.size());
        b.clear();
        EXPECT_TRUE(b.add(2 * added + 1, 1, {Action::modify, as_bytes(packet)}));
        added++;
    }
    EXPECT_EQ(total, 2 * added - 1) << "one message for each id";
}

TEST(VerdictBatch, EverythingIsAcceptedAheadOfTheLastId) {
    VerdictBatch b({3});
    EXPECT_TRUE(b.add_accept_all(0xF0000000));
    EXPECT_EQ(parsed(b.messages(), 3),
              (std::vector<Message>{{true, 0x30000000, NF_ACCEPT, 0, false, ""}}));
}

TEST(VerdictBatch, SplitSendsThePacketToTheOtherQueue) {
    VerdictBatch b({.queue = 3, .pieces_queue = 500});
    EXPECT_TRUE(b.add(1, 7, accept));
    EXPECT_TRUE(b.add(2, 7, {Action::split, {}}));
    EXPECT_TRUE(b.add(3, 7, accept));
    // The packet passes if that queue is gone.
    const std::uint32_t onwards = NF_QUEUE_NR(500U) | NF_VERDICT_FLAG_QUEUE_BYPASS;
    EXPECT_EQ(parsed(b.messages(), 3), (std::vector<Message>{{false, 1, NF_ACCEPT, 7, true, ""},
                                                             {false, 2, onwards, 7, true, ""},
                                                             {false, 3, NF_ACCEPT, 7, true, ""}}));
}

constexpr Verdict finished{Action::accept, {}, true};

TEST(VerdictBatch, FinishedConnectionsGoRoundOnceWithTheMark) {
    VerdictBatch b({.queue = 3, .offload_mark = 0x100});
    for (const std::uint32_t id : {1U, 2U})
        EXPECT_TRUE(b.add(id, 7, accept));
    EXPECT_TRUE(b.add(3, 7, finished));
    EXPECT_TRUE(b.add(4, 0x107, finished)) << "it was round";
    EXPECT_TRUE(b.add(5, 0x107, accept));
    EXPECT_TRUE(b.add(6, 0, {Action::drop, {}, true}));
    EXPECT_EQ(parsed(b.messages(), 3), (std::vector<Message>{{true, 2, NF_ACCEPT, 7, true, ""},
                                                             {false, 3, NF_REPEAT, 0x107, true, ""},
                                                             {true, 5, NF_ACCEPT, 0x107, true, ""},
                                                             {false, 6, NF_DROP, 0, false, ""}}));
}

TEST(VerdictBatch, FinishedIsNothingWithoutAMark) {
    VerdictBatch b({3});
    EXPECT_TRUE(b.add(1, 7, accept));
    EXPECT_TRUE(b.add(2, 7, finished));
    EXPECT_EQ(parsed(b.messages(), 3), (std::vector<Message>{{true, 2, NF_ACCEPT, 7, true, ""}}));
}

} // namespace
} // namespace nfqws2::capture
