// Results of desync functions, their aggregation, MODIFY, the error path and the substitute for a
// dropped first packet (docs/contracts/wire.md#verdicts).
#include "machine.hpp"

namespace nfqws2::engine::test {
namespace {

namespace flag = packet::tcp_flag;

// A machine whose flow has had its first packet, so that a drop is a real one.
class Second {
  public:
    Second(std::vector<std::string> words, const std::string& lua = {})
        : machine({std::move(words), lua, {}}) {
        machine.out(TcpFlow().syn());
        machine.wire.sent.clear();
    }
    Outcome run() { return machine.out(packet); }

    Buffer packet = TcpFlow().from_client(text("data"), 0);
    Machine machine;
};

std::string text_of(const Outcome& outcome) {
    return outcome.accepted() ? "pass" : outcome.dropped() ? "drop" : "modify";
}

struct Result {
    const char* returned;
    const char* verdict;
    const char* complaint;
};
constexpr Result results[] = {
    {"", "pass", ""},
    {"return 0", "pass", ""},
    {"return VERDICT_MODIFY", "modify", ""},
    {"return VERDICT_DROP", "drop", ""},
    {"return 3", "pass", ""},
    {"return 4", "pass", ""},
    {"return 5", "modify", ""},
    {"return 6", "drop", ""},
    {"return 7", "pass", ""},
    {"return '2'", "drop", ""},
    {"return '1'", "modify", ""},
    {"return 1.5", "modify", ""},
    {"return 2.9", "drop", ""},
    {"return nil", "pass", ""},
    {"return true", "pass", "desync function returned non-int result"},
    {"return {}", "pass", "desync function returned non-int result"},
    {"return 'x'", "pass", "desync function returned non-int result"},
    {"return 8", "pass", "desync function returned bad int result"},
    {"return -1", "pass", "desync function returned bad int result"},
    {"return 0/0", "pass", "desync function returned bad int result"},
    {"return 1e300", "pass", "desync function returned bad int result"},
    {"return 2, 2", "pass", "desync function returned more than one result : 2"},
    {"return nil, nil, nil", "pass", "desync function returned more than one result : 3"},
    {"error('boom')", "pass", "boom"},
    {"error({})", "pass", "table value"},
    {"error()", "pass", "nil value"},
    {"error(7)", "pass", "7"},
    {"local x = nil; return x.y", "pass", "attempt to index"},
    {"local function r() return 1 + r() end return r()", "pass", "stack overflow"},
};

TEST(Verdict, OfOneInstance) {
    for (const Result& r : results) {
        Second s({"--lua-desync=f"}, std::string("function f(ctx, d) ") + r.returned + " end");
        ErrorText errors;
        const Outcome outcome = s.run();
        const std::string said = errors.text();
        EXPECT_EQ(text_of(outcome), r.verdict) << r.returned;
        const bool failed = *r.complaint != '\0';
        EXPECT_EQ(said.find("desync ERROR. passing packet unmodified.") != std::string::npos,
                  failed)
            << r.returned;
        if (failed) {
            EXPECT_NE(said.find(r.complaint), std::string::npos) << r.returned << ": " << said;
            EXPECT_NE(said.find("profile 1 (noname)"), std::string::npos) << said;
            EXPECT_NE(said.find("f_1_1"), std::string::npos) << said;
        }
    }
}

TEST(Verdict, AnyErrorStopsTheChainAndPassesThePacket) {
    for (const Result& r : results) {
        if (*r.complaint == '\0') continue;
        Second s({"--lua-desync=f", "--lua-desync=drop", "--lua-desync=bad", "--lua-desync=drop"},
                 std::string("calls = 0 function f() calls = calls + 1 tell(calls) end "
                             "function bad(ctx, d) d.dis.payload = 'changed' ") +
                     r.returned + " end");
        ErrorText errors;
        EXPECT_TRUE(s.run().accepted()) << r.returned;
        // The instance is not disabled: the next packet calls again.
        EXPECT_EQ(s.run().line(), "3") << r.returned;
        EXPECT_EQ(s.machine.engine->counters().lua_errors, 3U) << r.returned;
    }
}

TEST(Verdict, PacketsAlreadySentStaySent) {
    Second s({"--lua-desync=f"}, "function f(ctx, d) rawsend(raw_packet(ctx)) error('late') end");
    ErrorText errors;
    const Outcome outcome = s.run();
    EXPECT_TRUE(outcome.accepted());
    ASSERT_EQ(outcome.sent.size(), 1U);
    EXPECT_EQ(outcome.sent[0], (Sent{s.packet, Machine::mark, ""}));
}

TEST(Verdict, Aggregation) {
    struct {
        std::vector<int> returned;
        const char* verdict;
    } const cases[] = {
        {{0, 0}, "pass"}, {{0, 1}, "modify"},    {{1, 0}, "modify"}, {{1, 2}, "drop"},
        {{2, 1}, "drop"}, {{2, 0}, "drop"},      {{2, 3}, "drop"},   {{1, 3}, "modify"},
        {{3, 3}, "pass"}, {{3, 1}, "modify"},    {{4, 0}, "pass"},   {{4, 1}, "modify"},
        {{4, 2}, "drop"}, {{1, 4, 0}, "modify"}, {{7, 7}, "pass"},   {{0, 2, 1, 0}, "drop"},
    };
    for (const auto& c : cases) {
        std::vector<std::string> words;
        std::string name;
        for (const int value : c.returned) {
            words.push_back("--lua-desync=f:v=" + std::to_string(value));
            name += std::to_string(value);
        }
        Second s(words, "function f(ctx, d) tell(d.func_n) return tonumber(d.arg.v) end");
        const Outcome outcome = s.run();
        EXPECT_EQ(text_of(outcome), c.verdict) << name;
        EXPECT_EQ(outcome.told.size(), c.returned.size()) << "instances after a drop still run";
    }
}

// The IPv6 next-header chain shows whether VERDICT_PRESERVE_NEXT arrived at the rebuild.
TEST(Verdict, PreserveNextIsSticky) {
    struct {
        std::vector<int> returned;
        bool preserved;
    } const cases[] = {{{1}, false},   {{5}, true},    {{4, 1}, true},
                       {{1, 4}, true}, {{5, 0}, true}, {{1, 0}, false}};
    for (const auto& c : cases) {
        std::vector<std::string> words{"--lua-desync=g"};
        for (const int value : c.returned)
            words.push_back("--lua-desync=f:v=" + std::to_string(value));
        Machine m({words,
                   "function g(ctx, d) d.dis.ip6.ip6_nxt = 99 end "
                   "function f(ctx, d) return tonumber(d.arg.v) end",
                   {}});
        const Outcome outcome = m.out(udp(client6, server6, "x"));
        ASSERT_TRUE(outcome.modified());
        EXPECT_EQ(outcome.data[6], c.preserved ? 99 : 17);
    }
}

TEST(Verdict, ModifyUsesTheTableStoredAtTheEnd) {
    Second s({"--lua-desync=f", "--lua-desync=g"}, R"lua(
        function f(ctx, d) d.dis.tcp.th_win = 7 return VERDICT_MODIFY end
        function g(ctx, d)
            local other = dissect(raw_packet(ctx))
            other.payload = "replaced"
            d.dis = other
        end)lua");
    const Outcome outcome = s.run();
    ASSERT_TRUE(outcome.modified());
    EXPECT_EQ(as_text(Bytes(outcome.data).subspan(40)), "replaced");
    EXPECT_EQ(load_be16(&outcome.data[34]), 502);
}

TEST(Verdict, ModifyRecomputesLengthsAndChecksums) {
    Second s({"--lua-desync=modify"});
    const Buffer good = s.packet;
    s.packet[36] ^= 0xFF;                                  // L4 checksum
    s.packet.insert(s.packet.end(), {'t', 'a', 'i', 'l'}); // behind the IP length
    EXPECT_EQ(s.run().data, good);
    EXPECT_TRUE(
        Second({"--lua-desync=f"}, "function f(ctx, d) d.dis.payload = 'x' end").run().accepted());
}

TEST(Verdict, ModifyMayGrowUpTo65535Bytes) {
    for (const int size : {65535 - 40, 65535 - 39}) {
        Second s({"--lua-desync=f"}, "function f(ctx, d) d.dis.payload = string.rep('x', " +
                                         std::to_string(size) + ") return VERDICT_MODIFY end");
        ErrorText errors;
        const Outcome outcome = s.run();
        if (size == 65535 - 40) {
            ASSERT_TRUE(outcome.modified());
            EXPECT_EQ(outcome.data.size(), 65535U);
        } else {
            EXPECT_FALSE(outcome.dropped());
        }
    }
}

// None of these may end the program, whatever the script put into the table.
constexpr const char* bad_dissects[] = {
    "d.dis = nil",
    "d.dis = 5",
    "d.dis = 'text'",
    "d.dis = {}",
    "d.dis = setmetatable({}, {__index = function() error('asked') end})",
    "d.dis.frag_off = 'x'",
    "d.dis.frag_off = {}",
    "d.dis.frag_off = true",
    "d.dis.ip = nil",
    "d.dis.ip = 7",
    "d.dis.ip.ip_src = nil",
    "d.dis.ip.ip_src = '123'",
    "d.dis.ip.ip_dst = {}",
    "d.dis.ip.ip_ttl = nil",
    "d.dis.ip.ip_ttl = {}",
    "d.dis.ip.ip_p = 'six'",
    "d.dis.ip.options = string.rep('x', 41)",
    "d.dis.tcp.th_seq = nil",
    "d.dis.tcp.th_seq = '5'",
    "d.dis.tcp.th_flags = false",
    "d.dis.tcp.options = {{}}",
    "d.dis.tcp.options = {{kind = 2, data = string.rep('x', 39)}}",
    "d.dis.tcp.options = {5}",
    "d.dis.payload = string.rep('x', 70000)",
    "d.dis = {ip6 = {ip6_src = string.rep('a', 16), ip6_dst = string.rep('b', 16), "
    "ip6_plen = 'x'}, payload = ''}",
    "d.dis = {ip6 = {ip6_src = string.rep('a', 16), ip6_dst = string.rep('b', 16), "
    "exthdr = {{type = 0}}}, payload = ''}",
    "d.dis.tcp = nil; d.dis.udp = {}",
    "d.dis.tcp = nil; d.dis.icmp = {icmp_type = 1}",
};

TEST(Verdict, BadDissectsPassThePacket) {
    for (const char* change : bad_dissects) {
        Second s({"--lua-desync=f"},
                 std::string("function f(ctx, d) ") + change + " return VERDICT_MODIFY end");
        ErrorText errors;
        EXPECT_TRUE(s.run().accepted()) << change;
        const std::string said = errors.text();
        EXPECT_TRUE(said.find("failed to reconstruct packet after VERDICT_MODIFY") !=
                        std::string::npos ||
                    said.find("dissect data is bad. VERDICT_MODIFY cancel.") != std::string::npos)
            << change << ": " << said;
        EXPECT_TRUE(s.run().accepted()) << "the next packet is served";
    }
}

TEST(Verdict, OddButUsableFieldsAreTaken) {
    struct {
        const char* change;
        std::size_t offset;
        std::uint8_t value;
    } const cases[] = {{"d.dis.ip.ip_ttl = 259", 8, 3},
                       {"d.dis.ip.ip_tos = '5'", 1, 5},
                       {"d.dis.ip.ip_tos = {}", 1, 0},
                       {"d.dis.tcp.th_seq = -1", 24, 0xFF},
                       {"d.dis.payload = 123", 40, '1'}};
    for (const auto& c : cases) {
        Second s({"--lua-desync=f"},
                 std::string("function f(ctx, d) ") + c.change + " return VERDICT_MODIFY end");
        const Outcome outcome = s.run();
        ASSERT_TRUE(outcome.modified()) << c.change;
        EXPECT_EQ(outcome.data[c.offset], c.value) << c.change;
    }
}

// --- the substitute for a dropped first packet

Buffer substitute_of(Buffer packet) {
    const bool v4 = packet[0] >> 4 == 4;
    packet[v4 ? 9 : 6] = 255;
    packet[v4 ? 8 : 7] = 1;
    return packet;
}

Machine dropping(bool server, bool ctrack_disable = false) {
    Config config{{"--in-range=a", "--lua-desync=drop"}, "", {}};
    config.options.server = server;
    config.options.ctrack_disable = ctrack_disable;
    return Machine(config);
}

TEST(Substitute, ReplacesADroppedFirstOutgoingPacket) {
    const TcpFlow v4, v6(client6, server6);
    const Buffer datagrams[] = {udp(client4, server4, "hello"), udp(client6, server6, "hello")};
    for (const Buffer& packet : {v4.syn(), v6.syn(), datagrams[0], datagrams[1]}) {
        Machine m = dropping(false);
        const Outcome first = m.out(packet);
        EXPECT_TRUE(first.modified());
        EXPECT_EQ(first.data, substitute_of(packet)); // the IPv4 header checksum is the old one
        EXPECT_TRUE(m.out(packet).dropped()) << "only the first";
    }
}

TEST(Substitute, IsTheRecordedOne) {
    Machine m = dropping(false);
    Buffer packet = udp(Peer{"10.1.0.1", 1}, Peer{"10.2.0.1", 2}, "hello");
    const Outcome outcome = m.out(packet);
    EXPECT_EQ(outcome.data[8], 1);
    EXPECT_EQ(outcome.data[9], 255);
    EXPECT_EQ(load_be16(&outcome.data[10]), load_be16(&packet[10]));
    EXPECT_EQ(as_text(Bytes(outcome.data).subspan(28)), "hello");
}

TEST(Substitute, IsForTheLocalSideOnly) {
    const TcpFlow flow;
    Machine client = dropping(false);
    EXPECT_TRUE(client.out(flow.syn()).modified());
    EXPECT_TRUE(client.in(flow.syn_ack()).dropped()); // incoming
    EXPECT_TRUE(client.out(flow.ack()).dropped());    // not the first
    Machine server = dropping(true);
    EXPECT_TRUE(server.in(flow.syn()).dropped()); // incoming
    EXPECT_TRUE(server.out(flow.syn_ack()).modified());
    EXPECT_TRUE(server.out(flow.from_server(text("x"), 0)).dropped());
    Machine answer_first = dropping(false);
    EXPECT_TRUE(answer_first.in(flow.syn_ack()).dropped());
    EXPECT_TRUE(answer_first.out(flow.ack()).modified()); // first of the client
}

TEST(Substitute, WithoutATrackIsForHandshakesOnly) {
    struct {
        std::uint8_t flags;
        bool modified;
    } const cases[] = {{flag::syn, true},
                       {flag::syn | flag::ack, true},
                       {flag::syn | flag::ece | flag::cwr, true},
                       {flag::ack, false},
                       {flag::rst, false},
                       {flag::syn | flag::fin, false}};
    for (const bool server : {false, true})
        for (const auto& c : cases) {
            Machine m = dropping(server, true);
            const Buffer packet = tcp(client4, server4, {1, 1, c.flags});
            for (int i = 0; i < 2; i++) { // there is nothing to count
                const Outcome outcome = m.out(packet);
                EXPECT_EQ(outcome.modified(), c.modified) << unsigned{c.flags};
                EXPECT_EQ(outcome.dropped(), !c.modified) << unsigned{c.flags};
            }
            EXPECT_TRUE(m.in(packet).dropped());
            EXPECT_TRUE(m.out(udp(client4, server4, "x")).dropped());
        }
}

TEST(Substitute, IsNotForIcmpAndRawIp) {
    Machine m = dropping(false);
    EXPECT_TRUE(m.out(icmp(client4, server4, 8, 0, text("ping"))).dropped());
    EXPECT_TRUE(m.out(raw_ip(client4, server4, 99, text("x"))).dropped());
    EXPECT_TRUE(m.out(first_fragment(udp(client4, server4, std::string(64, 'x')), 40)).dropped());
}

TEST(Substitute, BytesBehindTheIpLengthVanish) {
    Machine m = dropping(false);
    const Buffer packet = udp(client4, server4, "hello");
    EXPECT_EQ(m.out(joined(packet, text("tail"))).data, substitute_of(packet));
}

} // namespace
} // namespace nfqws2::engine::test
