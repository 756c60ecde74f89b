// Every recorded sample against the functions of this room: type, flow protocol, host name,
// decrypted data, harvested addresses.
#include "samples.hpp"

#include "nfqws2/protocol/detect.hpp"
#include "nfqws2/protocol/dns.hpp"
#include "nfqws2/protocol/hostname.hpp"
#include "nfqws2/protocol/http.hpp"
#include "nfqws2/protocol/quic.hpp"
#include "nfqws2/protocol/tls.hpp"

#include <gtest/gtest.h>

namespace nfqws2::protocol::test {
namespace {

// Just enough of a flow to apply the probe lists as the driver does.
class Flow {
  public:
    explicit Flow(bool tcp) : tcp_(tcp) {}

    Payload feed(const SamplePacket& packet) {
        const Bytes data = packet.payload;
        if (data.empty()) return Payload::empty;
        const Detection found =
            tcp_ ? probe_tcp(data, packet.from_initiator) : detect_udp(data, l7_, DisableSet{});
        if (l7_ == L7::unknown) l7_ = found.l7;
        return found.payload;
    }
    L7 l7() const { return l7_; }

  private:
    Detection probe_tcp(Bytes data, bool from_initiator) {
        if (!from_initiator) return detect_tcp_responder(data, DisableSet{});
        const Detection found = detect_tcp_initiator(data, first_, DisableSet{});
        first_ = false;
        return found;
    }

    bool tcp_;
    bool first_ = true;
    L7 l7_ = L7::unknown;
};

Buffer joined(const std::vector<SamplePacket>& packets) {
    Buffer all;
    for (const auto& p : packets)
        all.insert(all.end(), p.payload.begin(), p.payload.end());
    return all;
}

std::optional<CryptoStream> crypto_of(const Sample& s) {
    Buffer frames;
    for (const auto& p : s.packets) {
        const auto plain = quic_decrypt_initial(p.payload);
        if (!plain) return std::nullopt;
        frames.insert(frames.end(), plain->begin(), plain->end());
    }
    return quic_collect_crypto(frames);
}

std::optional<std::string> raw_host(Payload type, const std::vector<SamplePacket>& packets) {
    if (type == Payload::http_req) return http_host(packets.front().payload);
    const Buffer data = joined(packets);
    // A record beyond the reassembly limit gives no name; that decision is the flow's.
    if (type == Payload::tls_client_hello && tls_record_size(data) <= 16384)
        return tls_client_hello_host(data);
    return std::nullopt;
}

class SampleTest : public testing::TestWithParam<Sample> {};

TEST_P(SampleTest, GivesTypeAndFlowProtocol) {
    const Sample& s = GetParam();
    if (s.l4 == "icmp" || s.l4 == "icmpv6") {
        EXPECT_EQ(name(classify_icmp(s.packets.front().payload)), s.payload_type);
        return;
    }
    if (s.l4 == "ip") {
        EXPECT_EQ(s.payload_type, "unknown"); // nothing is probed for other protocols
        return;
    }
    Flow flow(s.l4 == "tcp");
    for (const auto& p : s.setup)
        flow.feed(p);
    // Later segments of a split hello get their type from the reassembly.
    EXPECT_EQ(name(flow.feed(s.packets.front())), s.payload_type);
    if (s.l4 == "udp") {
        for (const auto& p : s.packets)
            EXPECT_EQ(name(flow.feed(p)), s.payload_type);
    }
    EXPECT_EQ(name(flow.l7()), s.flow_protocol);
}

TEST_P(SampleTest, GivesHostNameOfTcpPayload) {
    const Sample& s = GetParam();
    if (s.l4 != "tcp") return;
    const auto& first = s.setup.empty() ? s.packets : s.setup; // the first name of a flow is kept
    const auto type = detect_tcp_initiator(first.front().payload, false, DisableSet{}).payload;
    const auto raw = first.front().from_initiator ? raw_host(type, first) : std::nullopt;
    ASSERT_EQ(raw.has_value(), s.hostname.has_value());
    if (!raw) return;
    const HostName host = normalise_host(*raw);
    EXPECT_EQ(host.name, *s.hostname);
    EXPECT_EQ(host.is_ip, s.hostname_is_ip.value_or(false));
}

TEST_P(SampleTest, GivesDecryptedData) {
    const Sample& s = GetParam();
    if (s.payload_type != "quic_initial" || !s.packets.front().from_initiator) {
        EXPECT_FALSE(s.decrypt_data.has_value());
        return;
    }
    const auto stream = crypto_of(s);
    if (s.delayed) {
        ASSERT_TRUE(stream.has_value());
        EXPECT_TRUE(!stream->complete || !client_hello_handshake_full(stream->data));
        return;
    }
    const bool hello = stream && stream->complete && is_client_hello_handshake(stream->data);
    if (s.name == "quic_ack_frame") {
        // Deliberately better: an ACK frame beside the hello does not hide it.
        EXPECT_TRUE(hello);
        return;
    }
    ASSERT_EQ(hello, s.decrypt_data.has_value());
    if (!hello) return;
    EXPECT_EQ(stream->data, *s.decrypt_data);
    const auto raw = client_hello_handshake_host(stream->data);
    ASSERT_EQ(raw.has_value(), s.hostname.has_value());
    if (raw) {
        EXPECT_EQ(normalise_host(*raw).name, *s.hostname);
    }
}

TEST_P(SampleTest, GivesHarvestedAddresses) {
    const Sample& s = GetParam();
    if (s.ipcache.empty()) return; // not recorded for this one
    std::vector<std::pair<std::string, std::string>> found;
    harvest_dns(s.packets.front().payload, [&](const IpAddress& address, std::string_view host) {
        found.emplace_back(address.text(), host);
    });
    EXPECT_EQ(found, s.ipcache);
}

TEST_P(SampleTest, IsAWholeRecordIfReassembled) {
    const Sample& s = GetParam();
    if (!s.reasm_len) return;
    const Buffer all = joined(s.packets);
    EXPECT_TRUE(tls_record_full(all));
    EXPECT_EQ(tls_record_size(all), *s.reasm_len);
    EXPECT_FALSE(tls_record_full(s.packets.front().payload));
}

INSTANTIATE_TEST_SUITE_P(All, SampleTest, testing::ValuesIn(samples()),
                         [](const auto& info) { return info.param.name; });

TEST(Samples, AreAllThere) {
    EXPECT_EQ(samples().size(), 258U);
}

} // namespace
} // namespace nfqws2::protocol::test
