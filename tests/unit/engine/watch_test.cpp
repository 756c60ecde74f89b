// What can be asked of a running engine: counters of profiles and instances, the flows, and the
// packets of some of them.
#include "nfqws2/engine/flow_watcher.hpp"

#include "hellos.hpp"
#include "machine.hpp"

#include "nfqws2/lua/desync.hpp"

#include <algorithm>

namespace nfqws2::engine::test {
namespace {

const std::string script = "function twice() rawsend(\"E\\0\\0\\20\" .. string.rep(\"\\0\", 16)) "
                           "return VERDICT_DROP end "
                           "function change() return VERDICT_MODIFY end "
                           "function bad() error('no luck') end";

// --- counters

TEST(EngineCounts, OfProfilesAndInstances) {
    Machine m({{"--filter-udp=443", "--lua-desync=change", "--lua-desync=twice", "--new",
                "--filter-udp=80"},
               script,
               {}});
    for (int i = 0; i < 3; i++)
        m.out(udp(client4, server4, "x"));
    EXPECT_EQ(m.engine->counts_of(1).flows, 1U);
    EXPECT_EQ(m.engine->counts_of(1).packets, 3U);
    EXPECT_EQ(m.engine->counts_of(2).flows, 0U);
    EXPECT_EQ(m.engine->counts_of(99).packets, 0U);
    EXPECT_EQ(m.engine->flows_seen(), 1U);
    const auto instances = m.engine->instances(1);
    ASSERT_EQ(instances.size(), 2U);
    EXPECT_EQ(instances[0].counts.called, 3U);
    EXPECT_EQ(instances[0].counts.modified, 3U);
    EXPECT_EQ(instances[0].counts.sent, 0U);
    EXPECT_EQ(instances[1].counts.sent, 3U);
    EXPECT_EQ(instances[1].counts.dropped, 3U);
    EXPECT_EQ(instances[1].counts.errors, 0U);
    EXPECT_TRUE(m.engine->instances(99).empty());
    EXPECT_GT(m.engine->counters().bytes, 60U);
}

TEST(EngineCounts, OfErrors) {
    Machine m({{"--lua-desync=bad", "--lua-desync=change"}, script, {}});
    const ErrorText errors;
    m.out(udp(client4, server4, "x"));
    const auto instances = m.engine->instances(1);
    EXPECT_EQ(instances[0].counts.called, 1U);
    EXPECT_EQ(instances[0].counts.errors, 1U);
    EXPECT_EQ(instances[1].counts.called, 0U);
}

TEST(EngineCounts, FlowsThatAreTracked) {
    Machine m({{"--filter-udp=443"}, {}, {}});
    m.out(udp(client4, server4, "x"));
    std::vector<std::uint32_t> seen;
    EXPECT_EQ(m.engine->scan_flows(0, 10,
                                   [&](const flow::Track& track, std::int64_t now_ns) {
                                       seen.push_back(track.number());
                                       EXPECT_EQ(now_ns, m.clock.boot_ns());
                                   }),
              0U);
    EXPECT_EQ(seen, (std::vector<std::uint32_t>{1}));
}

// --- a watcher

class Watcher final : public FlowWatcher {
  public:
    bool may_want(const packet::Dissect& packet) const override {
        asked++;
        return packet.l4 == packet::L4::udp;
    }
    bool may_want(const flow::Track* track) const override {
        known += track != nullptr;
        return wants;
    }
    void take(const flow::Track* track, std::string_view text) override {
        of_a_flow = track != nullptr;
        lines.emplace_back(text);
    }
    bool wants = true, of_a_flow = false;
    mutable unsigned asked = 0, known = 0;
    Lines lines;
};

TEST(EngineWatch, APacketOfAFlow) {
    Machine m({{"--filter-udp=443", "--lua-desync=twice"}, script, {}});
    m.out(udp(client4, server4, "x"));
    Watcher watcher;
    ASSERT_TRUE(m.engine->watch(watcher));
    const Outcome outcome = m.out(udp(client4, server4, "x"));
    EXPECT_TRUE(outcome.dropped());
    EXPECT_EQ(outcome.sent.size(), 1U);
    ASSERT_EQ(watcher.lines.size(), 1U);
    EXPECT_NE(watcher.lines[0].find("\"verdict\":\"drop\""), std::string::npos);
    EXPECT_NE(watcher.lines[0].find("\"kind\":\"generated\""), std::string::npos);
    EXPECT_NE(watcher.lines[0].find("\"called\":true"), std::string::npos);
    EXPECT_TRUE(watcher.of_a_flow);
    EXPECT_EQ(watcher.known, 1U);
}

TEST(EngineWatch, OthersAreLeftAlone) {
    Machine m({{"--lua-desync=twice"}, script, {}});
    Watcher watcher;
    ASSERT_TRUE(m.engine->watch(watcher));
    m.open(TcpFlow());
    EXPECT_EQ(watcher.asked, 3U);
    EXPECT_TRUE(watcher.lines.empty());
    watcher.wants = false;
    m.out(udp(client4, server4, "x"));
    EXPECT_TRUE(watcher.lines.empty());
}

TEST(EngineWatch, EndsWhenItIsToldTo) {
    Machine m({{"--lua-desync=twice"}, script, {}});
    Watcher first, second;
    ASSERT_TRUE(m.engine->watch(first));
    ASSERT_TRUE(m.engine->watch(second));
    m.engine->unwatch(first); // which is not the one any more
    m.out(udp(client4, server4, "x"));
    EXPECT_TRUE(first.lines.empty());
    EXPECT_EQ(second.lines.size(), 1U);
    m.engine->unwatch(second);
    m.out(udp(client4, server4, "x"));
    EXPECT_EQ(second.lines.size(), 1U);
    EXPECT_EQ(second.asked, 1U);
}

TEST(EngineWatch, AMessageInPieces) {
    Machine m({{"--filter-tcp=443", "--lua-desync=twice"}, script, {}});
    class All final : public FlowWatcher {
      public:
        bool may_want(const packet::Dissect&) const override { return true; }
        bool may_want(const flow::Track*) const override { return true; }
        void take(const flow::Track*, std::string_view text) override { lines.emplace_back(text); }
        Lines lines;
    } watcher;
    const TcpFlow flow;
    m.open(flow);
    ASSERT_TRUE(m.engine->watch(watcher));
    const Buffer hello = hello_record(2000, "www.example.com");
    const Bytes whole(hello);
    m.out(flow.from_client(whole.first(1000), 0));
    m.out(flow.from_client(whole.subspan(1000), 1000));
    ASSERT_EQ(watcher.lines.size(), 2U);
    EXPECT_NE(watcher.lines[0].find("\"held\":true"), std::string::npos);
    EXPECT_EQ(std::count(watcher.lines[1].begin(), watcher.lines[1].end(), '\n'), 3);
}

} // namespace
} // namespace nfqws2::engine::test
