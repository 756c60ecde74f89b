// All recorded samples through the whole pipeline, under the conditions they were recorded in
// (docs/contracts/protocols.md#samples).
#include "../protocol/samples.hpp"
#include "machine.hpp"

#include <algorithm>
#include <map>

namespace nfqws2::engine::test {
namespace {

using protocol::test::Sample;
using protocol::test::SamplePacket;

// type, flow protocol, host and its flag, decrypted data, length of reasm_data, replay
constexpr const char* record = R"lua(
function record(ctx, d)
    local hex = d.decrypt_data and d.decrypt_data:gsub(".", function(c)
        return string.format("%02x", c:byte()) end)
    tell(d.l7payload, d.l7proto, d.track and d.track.hostname or "-",
        d.track and d.track.hostname_is_ip, hex, d.reasm_data and #d.reasm_data, d.replay)
end
)lua";

// Where the program deliberately does better than the reference that the samples were recorded
// with: what it says instead.
struct Better {
    const char* name;
    const char* field;
    const char* why;
};
constexpr Better better[] = {
    {"tls_ch_too_large", "host", "the name is taken where the record is too large for joining"},
    {"quic_ack_frame", "host and decrypt", "an ACK frame beside the hello does not hide it"},
};

bool is_better(const Sample& sample) {
    return std::any_of(std::begin(better), std::end(better),
                       [&](const Better& b) { return sample.name == b.name; });
}

// One machine, a fresh flow for each use.
class Player {
  public:
    explicit Player(const Sample& sample) : sample_(sample) {
        if (sample.l4 == "tcp") machine.open(flow_);
        const bool answer_only = !sample.packets.front().from_initiator && sample.setup.empty();
        if (sample.l4 == "udp" && answer_only) play({true, text(".")});
        for (const SamplePacket& packet : sample.setup)
            play(packet);
    }
    // What Lua saw of the sample's packets.
    Lines run() {
        Lines lines;
        for (const SamplePacket& packet : sample_.packets)
            for (std::string& line : play(packet).told)
                lines.push_back(std::move(line));
        return lines;
    }
    Outcome play(const SamplePacket& packet) {
        const bool out = packet.from_initiator;
        const Buffer bytes = build(packet);
        return out ? machine.out(bytes) : machine.in(bytes);
    }

    Machine machine{{{"--in-range=a", "--lua-desync=record"}, record, caching()}};

  private:
    static Options caching() {
        Options options;
        options.ipcache_hostname = true; // fresh addresses know nothing, so it changes nothing else
        return options;
    }
    Buffer build(const SamplePacket& packet) {
        const bool out = packet.from_initiator;
        const Bytes data = packet.payload;
        const Peer near{"10.1.0.1", 5000},
            far{"10.2.0.1", sample_.ipcache.empty() ? std::uint16_t{443} : std::uint16_t{53}};
        const Peer from = out ? near : far, to = out ? far : near;
        if (sample_.l4 == "udp") return udp(from, to, data);
        if (sample_.l4 == "ip") return raw_ip(from, to, 99, data);
        if (sample_.l4 != "tcp") return icmp_message(out, data);
        std::uint32_t& at = out ? client_at_ : server_at_;
        const std::uint32_t offset = at;
        at += static_cast<std::uint32_t>(data.size());
        return out ? flow_.from_client(data, offset) : flow_.from_server(data, offset);
    }
    Buffer icmp_message(bool out, Bytes message) const {
        const bool v6 = sample_.l4 == "icmpv6";
        const Peer near{v6 ? "fd00::1" : "10.1.0.1"}, far{v6 ? "fd00::2" : "10.2.0.1"};
        return raw_ip(out ? near : far, out ? far : near,
                      v6 ? packet::proto::icmpv6 : packet::proto::icmp, message);
    }

    const Sample& sample_;
    TcpFlow flow_;
    std::uint32_t client_at_ = 0, server_at_ = 0;
};

std::string expected_line(const Sample& s, std::size_t payload_size) {
    std::string line =
        s.payload_type + " " + s.flow_protocol + " " + s.hostname.value_or("-") + " ";
    line += !s.hostname ? "nil" : s.hostname_is_ip.value_or(false) ? "true" : "false";
    line += " " + (s.decrypt_data ? to_hex(*s.decrypt_data) : "nil") + " ";
    line += s.l4 != "tcp" ? "nil" : std::to_string(s.reasm_len.value_or(payload_size));
    return line + (s.packets.size() > 1 ? " true" : " false");
}

class SampleTest : public ::testing::TestWithParam<Sample> {};

TEST_P(SampleTest, GivesWhatWasRecorded) {
    const Sample& s = GetParam();
    if (is_better(s)) return;
    Player player(s);
    const Lines lines = player.run();
    if (s.delayed) {
        EXPECT_EQ(lines, Lines{});
        EXPECT_EQ(player.machine.engine->held(), s.packets.size());
        EXPECT_EQ(player.machine.wait(2).sent.size(), s.packets.size()) << "none is ever lost";
        return;
    }
    Lines expected;
    for (const SamplePacket& packet : s.packets)
        expected.push_back(expected_line(s, packet.payload.size()));
    EXPECT_EQ(lines, expected);
    EXPECT_EQ(player.machine.engine->counters().lua_errors, 0U);
}

TEST_P(SampleTest, FillsTheIpCache) {
    const Sample& s = GetParam();
    if (s.ipcache.empty()) return;
    Player player(s);
    player.run();
    const Lines cache = player.machine.ip_cache();
    for (const auto& [address, name] : s.ipcache)
        EXPECT_NE(std::find(cache.begin(), cache.end(),
                            address + " iface= : ttl 0 hostname=" + name + " hostname_is_ip=0"),
                  cache.end())
            << address;
}

// Whatever the payload: a datagram without a track is shown to Lua and passes, in both directions.
TEST_P(SampleTest, AsDatagramWithoutConntrack) {
    const Sample& s = GetParam();
    Config config{{"--in-range=a", "--lua-desync=record"}, record, {}};
    config.options.ctrack_disable = true;
    Machine m(config);
    for (const SamplePacket& packet : s.packets) {
        const Buffer bytes = udp(client4, server4, packet.payload);
        for (const Outcome& outcome : {m.out(bytes), m.in(bytes)}) {
            EXPECT_TRUE(outcome.accepted());
            EXPECT_EQ(outcome.told.size(), 1U);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, SampleTest, testing::ValuesIn(protocol::test::samples()),
                         [](const auto& info) { return info.param.name; });

TEST(Samples, WhereOursIsBetter) {
    for (const Better& b : better) {
        const Sample& s = protocol::test::sample(b.name);
        Player player(s);
        const Lines lines = player.run();
        ASSERT_FALSE(lines.empty());
        EXPECT_NE(lines[0], expected_line(s, s.packets.front().payload.size()))
            << b.name << " is no exception any more (" << b.why << ")";
        EXPECT_EQ(lines[0].find(" - "), std::string::npos) << b.name << ": " << b.field;
    }
}

TEST(Samples, AreAllPlayed) {
    EXPECT_EQ(protocol::test::samples().size(), 258U);
}

} // namespace
} // namespace nfqws2::engine::test
