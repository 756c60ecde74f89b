#include "ctl/ladder/trace_event.hpp"

#include <gtest/gtest.h>

namespace nfqws2::ctl {
namespace {

constexpr const char* treated =
    R"({"n":4,"t":3.5,"flow":1,"dir":"out","l3":"ipv4","l4":"tcp","src":"192.0.2.10:40001",)"
    R"("dst":"198.51.100.20:443","len":275,"dlen":223,"tcp":{"flags":"PA","seq":1000000001,)"
    R"("ack":1,"rseq":1},"payload":"tls_client_hello","l7":"tls","host":"www.example.com",)"
    R"("host_at":[101,116],"profile":{"n":2,"name":"https"},"rejected":[],"instances":[)"
    R"({"func":"a_1_1","called":false,"why":"payload"},)"
    R"({"func":"b_1_2","called":true,"verdict":"drop","sent":2,"us":7}],)"
    R"("replay":{"piece":1,"of":2},"held":false,"verdict":"drop","out":[)"
    R"({"kind":"generated","len":43,"info":"192.0.2.10:40001>198.51.100.20:443 PA seq=-3 ack=1 )"
    R"(dlen=3 ttl=3 ext=hopopts,dstopts md5 bad-checksum","foreign":[0,3]},)"
    R"({"kind":"modified","len":9,"info":"[2001:db8::1]:1>[2001:db8::2]:2 udp dlen=9 ttl=64 )"
    R"(frag=8","host_at":[1,4]}],"out_omitted":7})";

TEST(TraceEvent, EverythingThatALadderShows) {
    const auto event = parse_trace_line(treated);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->number, 4);
    EXPECT_EQ(event->seconds, 3.5);
    EXPECT_EQ(event->flow, 1);
    EXPECT_FALSE(event->incoming);
    EXPECT_EQ(event->source, "192.0.2.10:40001");
    EXPECT_EQ(event->target, "198.51.100.20:443");
    EXPECT_EQ(event->data(), (Range{1, 224}));
    EXPECT_EQ(event->host, "www.example.com");
    EXPECT_EQ(event->host_at, (Range{101, 116}));
    EXPECT_EQ(event->profile, "https");
    ASSERT_EQ(event->calls.size(), 1U) << "those that were called";
    EXPECT_EQ(event->calls[0].name, "b_1_2");
    EXPECT_EQ(event->calls[0].sent, 2);
    EXPECT_EQ(event->piece, 1);
    EXPECT_EQ(event->pieces, 2);
    EXPECT_EQ(event->verdict, "drop");
    EXPECT_EQ(event->omitted, 7);
    ASSERT_EQ(event->out.size(), 2U);
    const SentPacket& first = event->out[0];
    EXPECT_EQ(first.kind, SentPacket::Kind::generated);
    EXPECT_EQ(first.source, "192.0.2.10:40001");
    EXPECT_EQ(first.flags, "PA");
    EXPECT_EQ(first.data(), (Range{-3, 0}));
    EXPECT_EQ(first.ttl, 3);
    EXPECT_EQ(first.ack, 1);
    EXPECT_EQ(first.extensions, "hopopts,dstopts");
    EXPECT_TRUE(first.signature);
    EXPECT_TRUE(first.bad_checksum);
    EXPECT_EQ(first.foreign, (Range{0, 3}));
    EXPECT_FALSE(first.host_at);
    const SentPacket& second = event->out[1];
    EXPECT_EQ(second.kind, SentPacket::Kind::modified);
    EXPECT_EQ(second.target, "[2001:db8::2]:2");
    EXPECT_EQ(second.flags, "udp");
    EXPECT_EQ(second.fragment, 8);
    EXPECT_FALSE(second.signature);
    EXPECT_EQ(second.host_at, (Range{1, 4}));
}

TEST(TraceEvent, WhatTimersSentHasNoNumber) {
    const auto event = parse_trace_line(R"({"n":null,"t":1,"note":"timer","out":[]})");
    ASSERT_TRUE(event);
    EXPECT_FALSE(event->number);
    EXPECT_EQ(event->flow, -1);
}

TEST(TraceEvent, PositionsGoAroundAsSequenceNumbersDo) {
    const auto event =
        parse_trace_line(R"({"t":1,"out":[],"tcp":{"flags":"A","seq":1,"rseq":4294967295}})");
    ASSERT_TRUE(event);
    EXPECT_EQ(event->seq, -1);
}

TEST(TraceEvent, OtherKindsThanExpectedAreNotSaid) {
    const auto event = parse_trace_line(
        R"({"n":"x","t":"y","flow":{},"dir":1,"src":[],"tcp":[1],"host_at":[1,2,3],)"
        R"("profile":3,"instances":{"a":1},"replay":"r","out":[1,null,{"kind":5,"info":{}},)"
        R"({"info":"> dlen=-5 ttl=x seq=99999999999999999999 seq="}],"out_omitted":-1})");
    ASSERT_TRUE(event);
    EXPECT_FALSE(event->number);
    EXPECT_EQ(event->seconds, 0);
    EXPECT_FALSE(event->host_at);
    EXPECT_EQ(event->omitted, 0);
    ASSERT_EQ(event->out.size(), 4U);
    EXPECT_EQ(event->out[3].dlen, 0);
    EXPECT_EQ(event->out[3].seq, 0);
}

TEST(TraceEvent, RangesAreForwardAndNotFarOut) {
    EXPECT_FALSE(parse_trace_line(R"({"t":1,"out":[],"host_at":[5,5]})")->host_at);
    EXPECT_FALSE(parse_trace_line(R"({"t":1,"out":[],"host_at":[5,1]})")->host_at);
    const auto far = parse_trace_line(
        R"({"t":1e300,"out":[],"host_at":[-9223372036854775808,18446744073709551615]})");
    ASSERT_TRUE(far && far->host_at);
    EXPECT_EQ(far->host_at->size(), std::int64_t{1} << 33);
}

TEST(TraceEvent, WhatIsNoLineOfATrace) {
    EXPECT_FALSE(parse_trace_line(""));
    EXPECT_FALSE(parse_trace_line("[]"));
    EXPECT_FALSE(parse_trace_line("{"));
    EXPECT_FALSE(parse_trace_line("{\"end\":true,\"count\":1}"));
    EXPECT_FALSE(parse_trace_line(std::string(max_trace_line + 1, ' ') + "{\"t\":1,\"out\":[]}"));
    EXPECT_FALSE(parse_trace_line(R"({"t":1,"out":)" + std::string(5000, '[')));
}

} // namespace
} // namespace nfqws2::ctl
