// What --trace writes. The engine is the one of the other tests, run again with a trace.
#include "nfqws2/engine/trace.hpp"

#include "hellos.hpp"
#include "machine.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace nfqws2::engine::test {
namespace {

using Json = nlohmann::json;

FileDescriptor temporary_file() {
    return FileDescriptor(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

class Traced : public Machine {
  public:
    explicit Traced(Config config, bool timed = false)
        : Machine({config.profile, config.lua, {}}), file_(temporary_file()) {
        trace_.emplace(TraceFile(FileDescriptor(dup(file_.get())), "trace"), clock, timed);
        Options& options = config.options;
        options.lua_init.push_back({false, "function drop() return VERDICT_DROP end "
                                           "function modify() return VERDICT_MODIFY end "
                                           "function pass() end " +
                                               config.lua});
        Services all = services(wire, network);
        all.trace = &*trace_;
        ready = start(std::move(options), std::move(all));
    }
    ~Traced() { engine.reset(); }

    // The lines so far.
    std::vector<Json> lines() {
        EXPECT_TRUE(trace_->flush());
        std::string text(static_cast<std::size_t>(lseek(file_.get(), 0, SEEK_END)), '\0');
        EXPECT_EQ(pread(file_.get(), text.data(), text.size(), 0),
                  static_cast<ssize_t>(text.size()));
        std::vector<Json> all;
        for (const std::string_view line : split(text, '\n'))
            if (!line.empty()) all.push_back(Json::parse(line));
        return all;
    }
    Json last() {
        const auto all = lines();
        return all.empty() ? Json() : all.back();
    }

  private:
    FileDescriptor file_;
    std::optional<Trace> trace_;
};

const std::vector<std::string> every_key = {
    "n",       "t",        "flow",      "dir",    "l3",      "l4",      "src",
    "dst",     "len",      "dlen",      "tcp",    "payload", "l7",      "host",
    "profile", "rejected", "instances", "replay", "held",    "verdict", "out"};

TEST(Trace, EveryKeyOfAPlainPacket) {
    Traced machine({{"--name=p", "--in-range=a", "--lua-desync=pass"}});
    const TcpFlow flow;
    machine.open(flow);
    const auto lines = machine.lines();
    ASSERT_EQ(lines.size(), 3U);
    for (const Json& line : lines)
        for (const std::string& key : every_key)
            EXPECT_TRUE(line.contains(key)) << key;
    const Json& syn_ack = lines[1];
    EXPECT_EQ(syn_ack["n"], 2);
    EXPECT_EQ(syn_ack["flow"], 1);
    EXPECT_EQ(syn_ack["dir"], "in");
    EXPECT_EQ(syn_ack["l3"], "ipv4");
    EXPECT_EQ(syn_ack["l4"], "tcp");
    EXPECT_EQ(syn_ack["src"], "10.2.0.1:443");
    EXPECT_EQ(syn_ack["dst"], "10.1.0.1:1111");
    EXPECT_EQ(syn_ack["dlen"], 0);
    EXPECT_EQ(syn_ack["tcp"], (Json{{"flags", "SA"}, {"seq", 5000}, {"ack", 1001}, {"rseq", 0}}));
    EXPECT_EQ(syn_ack["payload"], "empty");
    EXPECT_EQ(syn_ack["l7"], "unknown");
    EXPECT_EQ(syn_ack["host"], nullptr);
    EXPECT_EQ(syn_ack["profile"], (Json{{"n", 1}, {"name", "p"}}));
    EXPECT_EQ(syn_ack["rejected"], Json::array());
    EXPECT_EQ(syn_ack["replay"], nullptr);
    EXPECT_EQ(syn_ack["held"], false);
    EXPECT_EQ(syn_ack["verdict"], "accept");
    ASSERT_EQ(syn_ack["instances"].size(), 1U);
    EXPECT_EQ(
        syn_ack["instances"][0],
        (Json{
            {"func", "pass_1_1"}, {"called", true}, {"verdict", "pass"}, {"sent", 0}, {"us", 0}}));
    ASSERT_EQ(syn_ack["out"].size(), 1U);
    EXPECT_EQ(syn_ack["out"][0]["kind"], "original");
    EXPECT_EQ(syn_ack["out"][0]["info"], "10.2.0.1:443>10.1.0.1:1111 SA seq=0 ack=1 dlen=0 ttl=57");
}

TEST(Trace, TimeIsSinceTheStart) {
    Traced machine({});
    machine.out(TcpFlow().syn());
    machine.advance(1.5);
    machine.out(TcpFlow().ack());
    const auto lines = machine.lines();
    EXPECT_EQ(lines[0]["t"], 0.0);
    EXPECT_EQ(lines[1]["t"], 1.5);
}

TEST(Trace, TimedRunsTellMicroseconds) {
    Traced machine(
        {{"--lua-desync=busy"}, "function busy() local t = 0 for i = 1, 1e6 do t = t + i end end"},
        true);
    machine.out(TcpFlow().syn());
    EXPECT_GT(machine.last()["instances"][0]["us"], 10);
}

TEST(Trace, GeneratedPacketsComeInOrderWithTheirText) {
    Traced machine({{"--payload=http_req", "--lua-desync=f"},
                    "function f(ctx, d) local dis = d.dis dis.ip.ip_ttl = 3 "
                    "rawsend_dissect(dis, {repeats=2}, {badsum=true}) "
                    "dis.tcp.th_seq = dis.tcp.th_seq - 4 dis.payload = 'abc' "
                    "rawsend_dissect(dis) return VERDICT_DROP end"});
    const TcpFlow flow;
    machine.open(flow);
    machine.out(flow.from_client(text("GET / HTTP/1.1\r\nHost: One.com\r\n\r\n"), 0));
    const Json line = machine.last();
    EXPECT_EQ(line["payload"], "http_req");
    EXPECT_EQ(line["l7"], "http");
    EXPECT_EQ(line["host"], "one.com");
    EXPECT_EQ(line["verdict"], "drop");
    EXPECT_EQ(line["instances"][0]["sent"], 3);
    EXPECT_EQ(line["instances"][0]["verdict"], "drop");
    ASSERT_EQ(line["out"].size(), 3U);
    for (const std::size_t i : {0U, 1U})
        EXPECT_EQ(line["out"][i]["info"],
                  "10.1.0.1:1111>10.2.0.1:443 PA seq=1 ack=1 dlen=33 ttl=3 bad-checksum");
    EXPECT_EQ(line["out"][2],
              (Json{{"kind", "generated"},
                    {"len", 43},
                    {"info", "10.1.0.1:1111>10.2.0.1:443 PA seq=-3 ack=1 dlen=3 ttl=3"},
                    {"foreign", {0, 3}}}));
}

TEST(Trace, WhereTheNameIsReadableAndWhichBytesAreForeign) {
    Traced machine({{"--payload=http_req", "--lua-desync=f"},
                    "local function part(d, from, to, data) d.dis.payload = data or "
                    "string.sub(d.whole, from, to) d.dis.tcp.th_seq = d.seq + from - 1 "
                    "rawsend_dissect(d.dis) end "
                    "function f(ctx, d) d.whole = d.dis.payload d.seq = d.dis.tcp.th_seq "
                    "part(d, 1, 24) part(d, 25, -1) part(d, 23, 29, 'XXOne.com') "
                    "part(d, 1, 4, 'GET ?') return VERDICT_DROP end"});
    const TcpFlow flow;
    machine.open(flow);
    machine.out(flow.from_client(text("GET / HTTP/1.1\r\nHost: One.com\r\n\r\n"), 0));
    const Json line = machine.last();
    EXPECT_EQ(line["host_at"], (Json{22, 29}));
    const Json& out = line["out"];
    ASSERT_EQ(out.size(), 4U);
    for (const std::size_t i : {0U, 1U}) {
        EXPECT_FALSE(out[i].contains("host_at")) << "cut in the middle of the name";
        EXPECT_FALSE(out[i].contains("foreign"));
    }
    EXPECT_EQ(out[2]["host_at"], (Json{2, 9}));
    EXPECT_EQ(out[2]["foreign"], (Json{0, 9}));
    EXPECT_EQ(out[3]["foreign"], (Json{4, 5})) << "the beginning is the message's own";
}

TEST(Trace, ManyRepeatsAreCountedNotListed) {
    Traced machine(
        {{"--lua-desync=f"}, "function f(ctx, d) rawsend_dissect(d.dis, {repeats=5000}) end"});
    machine.out(TcpFlow().syn());
    const Json line = machine.last();
    EXPECT_EQ(line["out"].size(), 1000U);
    EXPECT_EQ(line["out_omitted"], 4001) << "the original too";
    EXPECT_EQ(line["instances"][0]["sent"], 5000);
}

TEST(Trace, ModifiedPacket) {
    Traced machine(
        {{"--lua-desync=f"}, "function f(ctx, d) d.dis.ip.ip_ttl = 9 return VERDICT_MODIFY end"});
    machine.out(TcpFlow().syn());
    const Json line = machine.last();
    EXPECT_EQ(line["verdict"], "modify");
    EXPECT_EQ(line["out"][0]["kind"], "modified");
    EXPECT_EQ(line["out"][0]["info"], "10.1.0.1:1111>10.2.0.1:443 S seq=0 dlen=0 ttl=9");
}

TEST(Trace, RareHeadersAreNamed) {
    Traced machine({{"--lua-desync=f"},
                    "function f(ctx, d) d.dis.tcp.options = {{kind=19, data=string.rep('x', 16)}} "
                    "return VERDICT_MODIFY end"});
    machine.out(TcpFlow().syn());
    EXPECT_EQ(machine.last()["out"][0]["info"],
              "10.1.0.1:1111>10.2.0.1:443 S seq=0 dlen=0 ttl=64 md5");
}

TEST(Trace, DroppedFirstPacketShowsItsSubstitute) {
    Traced machine({{"--lua-desync=drop"}});
    machine.out(TcpFlow().syn());
    const Json line = machine.last();
    EXPECT_EQ(line["instances"][0]["verdict"], "drop");
    EXPECT_EQ(line["verdict"], "modify");
    ASSERT_EQ(line["out"].size(), 1U);
    EXPECT_EQ(line["out"][0]["info"], "10.1.0.1>10.2.0.1 proto=255 dlen=28 ttl=1 bad-ip-checksum");
}

std::string why(const Json& line, std::size_t i) {
    return line["instances"][i].value("why", std::string("called"));
}

TEST(Trace, ReasonsNotToCall) {
    Traced machine({{"--payload=http_req", "--lua-desync=pass", "--payload=all", "--out-range=-n1",
                     "--lua-desync=pass", "--out-range=a", "--lua-desync=cut", "--lua-desync=plan",
                     "--lua-desync=pass"},
                    "function cut(ctx) instance_cutoff(ctx) end "
                    "function plan(ctx) execution_plan_cancel(ctx) end"});
    const TcpFlow flow;
    machine.open(flow);
    const auto lines = machine.lines();
    EXPECT_EQ(why(lines[0], 0), "payload");
    EXPECT_EQ(why(lines[0], 1), "called");
    EXPECT_EQ(why(lines[0], 2), "called");
    EXPECT_EQ(why(lines[0], 3), "called");
    EXPECT_EQ(why(lines[0], 4), "plan-cancelled");
    for (std::size_t i = 0; i < 5; i++)
        EXPECT_EQ(why(lines[1], i), i == 2 ? "cutoff" : "range") << "in: no --in-range";
    EXPECT_EQ(why(lines[2], 1), "range");
    EXPECT_EQ(why(lines[2], 2), "cutoff");
    EXPECT_EQ(lines[0]["instances"][4],
              (Json{{"func", "pass_1_5"}, {"called", false}, {"why", "plan-cancelled"}}));
}

TEST(Trace, LuaCutoff) {
    Traced machine(
        {{"--lua-desync=cut", "--lua-desync=pass"}, "function cut(ctx) lua_cutoff(ctx) end"});
    const TcpFlow flow;
    machine.open(flow);
    const Json line = machine.last();
    EXPECT_EQ(why(line, 0), "lua-cutoff");
    EXPECT_EQ(why(line, 1), "lua-cutoff");
}

TEST(Trace, FailedInstance) {
    const ErrorText errors;
    Traced machine({{"--lua-desync=pass", "--lua-desync=bad", "--lua-desync=pass"},
                    "function bad() error('no \"luck\" \\255', 0) end"});
    machine.out(TcpFlow().syn());
    const Json line = machine.last();
    EXPECT_EQ(why(line, 0), "called");
    EXPECT_EQ(why(line, 1), "error");
    EXPECT_EQ(line["instances"][1]["called"], false);
    EXPECT_EQ(line["instances"][1]["error"], "no \"luck\" \xC3\xBF") << "byte FF as U+00FF";
    EXPECT_EQ(why(line, 2), "error");
    EXPECT_EQ(line["verdict"], "accept");
}

TEST(Trace, EveryKindOfFailureHasAText) {
    const ErrorText errors;
    const struct {
        const char *words, *lua, *error;
    } table[] = {
        {"--lua-desync=f:a=%nothing", "function f() end", "blob 'nothing' unavailable"},
        {"--lua-desync=f", "function f() return 9 end", "desync function returned bad int result"},
        {"--lua-desync=f", "function f() return 'x' end",
         "desync function returned non-int result"},
        {"--lua-desync=f", "function f() return 1, 2 end",
         "desync function returned more than one result : 2"},
        {"--lua-desync=f", "function f() f = nil end", "desync function 'f' does not exist"},
    };
    for (const auto& row : table) {
        Traced machine({{row.words}, row.lua});
        const TcpFlow flow;
        machine.open(flow);
        EXPECT_EQ(machine.last()["instances"][0].value("error", ""), row.error);
    }
}

TEST(Trace, FailedReconstruction) {
    const ErrorText errors;
    Traced machine({{"--lua-desync=f"}, "function f(ctx, d) d.dis = 1 return VERDICT_MODIFY end"});
    machine.out(TcpFlow().syn());
    const Json line = machine.last();
    EXPECT_EQ(line["error"], "dissect data is bad");
    EXPECT_EQ(line["instances"][0]["verdict"], "modify");
    EXPECT_EQ(line["verdict"], "accept");
}

TEST(Trace, RejectedProfilesNameTheFilter) {
    Traced machine({{"--filter-tcp=80", "--lua-desync=pass", "--new", "--filter-l3=ipv6", "--new",
                     "--ipset-exclude-ip=10.2.0.0/16", "--new", "--hostlist-domains=one.com",
                     "--new=last", "--lua-desync=pass"}});
    machine.out(TcpFlow().syn());
    const Json line = machine.last();
    EXPECT_EQ(line["profile"]["n"], 5);
    EXPECT_EQ(
        line["rejected"],
        (Json{{{"n", 1}, {"by", "filter-tcp"}},
              {{"n", 2}, {"by", "filter-l3"}},
              {{"n", 3}, {"by", "ipset-exclude"}, {"list", "fixed"}, {"entry", "10.2.0.0/16"}},
              {{"n", 4}, {"by", "hostlist"}}}));
    machine.out(TcpFlow().ack());
    EXPECT_EQ(machine.last()["rejected"], Json::array()) << "no search: the flow has its profile";
}

TEST(Trace, PacketsThatLuaNeverSees) {
    Traced machine({{"--lua-desync=pass"}});
    machine.process(TcpFlow().syn(), "", "eth0", Machine::mark);
    EXPECT_EQ(machine.last()["note"], "own mark");
    EXPECT_EQ(machine.last()["src"], "10.1.0.1:1111");
    EXPECT_EQ(machine.last()["profile"], nullptr);
    machine.out(text("nonsense"));
    const Json line = machine.last();
    EXPECT_EQ(line["note"], "not IP");
    EXPECT_EQ(line["l3"], nullptr);
    EXPECT_EQ(line["l4"], nullptr);
    EXPECT_EQ(line["src"], nullptr);
    EXPECT_EQ(line["len"], 8);
    EXPECT_EQ(line["n"], 2);
    EXPECT_EQ(line["out"][0]["len"], 8);
}

TEST(Trace, OtherProtocols) {
    Traced machine({{"--lua-desync=pass"}});
    machine.out(udp(client6, server6, "hello"));
    Json line = machine.last();
    EXPECT_EQ(line["l3"], "ipv6");
    EXPECT_EQ(line["l4"], "udp");
    EXPECT_EQ(line["src"], "[fd00::1]:1111");
    EXPECT_EQ(line["tcp"], nullptr);
    EXPECT_EQ(line["out"][0]["info"], "[fd00::1]:1111>[fd00::2]:443 udp dlen=5 ttl=64");
    machine.out(icmp(client6, server6, 128, 0, text("ping")));
    line = machine.last();
    EXPECT_EQ(line["l4"], "icmpv6");
    EXPECT_EQ(line["src"], "fd00::1");
    EXPECT_EQ(line["out"][0]["info"], "fd00::1>fd00::2 icmp type=128 code=0 dlen=4 ttl=64");
    machine.out(icmp(client4, server4, 8, 0, text("ping")));
    EXPECT_EQ(machine.last()["l4"], "icmp");
    machine.out(raw_ip(client4, server4, 132, text("sctp")));
    line = machine.last();
    EXPECT_EQ(line["l4"], 132);
    EXPECT_EQ(line["flow"], nullptr);
    machine.out(first_fragment(udp(client4, server4, std::string(64, 'x')), 24));
    EXPECT_TRUE(machine.last()["out"][0]["info"].get<std::string>().find(" frag=0") !=
                std::string::npos)
        << machine.last();
}

TEST(Trace, HostNameWithOddBytes) {
    Traced machine({{"--lua-desync=pass"}});
    const TcpFlow flow;
    machine.open(flow);
    machine.out(flow.from_client(text("GET / HTTP/1.1\r\nHost: a\"\x80\\b.com\r\n\r\n"), 0));
    EXPECT_EQ(machine.last()["host"], "a\"\xC2\x80\\b.com");
}

TEST(Trace, NegativeHostList) {
    profile::testing::TempDir dir;
    Traced machine({{"--hostlist-auto=" + dir.file("auto"), "--lua-desync=pass"}});
    const TcpFlow flow;
    machine.open(flow);
    machine.out(flow.from_client(text("GET / HTTP/1.1\r\nHost: one.com\r\n\r\n"), 0));
    const Json line = machine.last();
    EXPECT_EQ(line["note"], "host list");
    EXPECT_EQ(line["profile"]["n"], 1);
    EXPECT_EQ(line["instances"], Json::array());
}

// A ClientHello in two segments: 16 03 01 and a length that needs both.
Buffer two_part_hello() {
    Buffer hello(600, 0);
    const std::uint8_t head[] = {0x16, 3, 1, 0x02, 0x53, 1, 0, 0x02, 0x4F, 3, 3};
    std::copy(std::begin(head), std::end(head), hello.begin());
    return hello;
}

TEST(Trace, HeldAndReplayed) {
    Traced machine({{"--payload=tls_client_hello", "--lua-desync=f"},
                    "function f(ctx, d) rawsend_dissect(d.dis) return VERDICT_DROP end"});
    const TcpFlow flow;
    machine.open(flow);
    const Buffer hello = two_part_hello();
    machine.out(flow.from_client({hello.data(), 400}, 0));
    Json line = machine.last();
    EXPECT_EQ(line["n"], 4);
    EXPECT_EQ(line["held"], true);
    EXPECT_EQ(line["verdict"], "drop");
    EXPECT_EQ(line["out"], Json::array());
    machine.out(flow.from_client({hello.data() + 400, 200}, 400));
    const auto lines = machine.lines();
    ASSERT_EQ(lines.size(), 7U);
    EXPECT_EQ(lines[4]["n"], 5);
    EXPECT_EQ(lines[4]["held"], true);
    EXPECT_EQ(lines[4]["out"], Json::array());
    for (const int piece : {1, 2}) {
        line = lines[4U + static_cast<std::size_t>(piece)];
        EXPECT_EQ(line["n"], 3 + piece) << "that of the packet";
        EXPECT_EQ(line["replay"], (Json{{"piece", piece}, {"of", 2}}));
        EXPECT_EQ(line["held"], false);
        EXPECT_EQ(line["payload"], "tls_client_hello");
        EXPECT_EQ(line["verdict"], "drop");
        ASSERT_EQ(line["out"].size(), 1U);
        EXPECT_EQ(line["out"][0]["kind"], "generated");
        EXPECT_FALSE(line["out"][0].contains("foreign"));
    }
}

TEST(Trace, TheNameOfAMessageInTwoPacketsIsCountedFromEach) {
    Traced machine({{"--payload=tls_client_hello", "--lua-desync=pass"}});
    const TcpFlow flow;
    machine.open(flow);
    const Buffer hello = hello_record(600, "www.example.com", true);
    machine.out(flow.from_client({hello.data(), 400}, 0));
    machine.out(flow.from_client({hello.data() + 400, 200}, 400));
    const auto lines = machine.lines();
    ASSERT_EQ(lines.size(), 7U);
    const auto first = lines[5]["host_at"], second = lines[6]["host_at"];
    ASSERT_EQ(second.size(), 2U);
    const int at = second[0];
    EXPECT_EQ(first, (Json{at + 400, at + 415}));
    const std::string whole(hello.begin(), hello.end());
    EXPECT_EQ(at + 400, static_cast<int>(whole.find("www.example.com")));
}

TEST(Trace, ReleasedPackets) {
    Traced machine({{"--lua-desync=pass"}});
    const TcpFlow flow;
    machine.open(flow);
    const Buffer hello = two_part_hello();
    machine.out(flow.from_client({hello.data(), 400}, 0));
    machine.wait(5);
    const Json line = machine.last();
    EXPECT_EQ(line["n"], 4);
    EXPECT_EQ(line["note"], "released");
    EXPECT_EQ(line["verdict"], "accept");
    ASSERT_EQ(line["out"].size(), 1U);
    EXPECT_EQ(line["out"][0]["kind"], "original");
}

TEST(Trace, ReleasedBecauseOfAnotherPacket) {
    Traced machine({{"--lua-desync=pass"}});
    const TcpFlow flow;
    machine.open(flow);
    const Buffer hello = two_part_hello();
    machine.out(flow.from_client({hello.data(), 400}, 0));
    TcpFlow next; // the same ports again
    next.client_isn = 900'000;
    machine.out(next.syn());
    const auto lines = machine.lines();
    ASSERT_EQ(lines.size(), 6U);
    EXPECT_EQ(lines[4]["n"], 5) << "the cause first";
    EXPECT_EQ(lines[4]["out"].size(), 1U) << "without what was held";
    EXPECT_EQ(lines[5]["n"], 4);
    EXPECT_EQ(lines[5]["note"], "released");
}

TEST(Trace, WhatTimersSend) {
    Traced machine({{"--lua-desync=f"},
                    "function fire(name, raw) rawsend(raw) end "
                    "function f(ctx, d) timer_set('t', fire, 100, true, raw_packet(ctx)) end"});
    machine.out(TcpFlow().syn());
    machine.wait(1);
    const Json line = machine.last();
    EXPECT_EQ(line["n"], nullptr);
    EXPECT_EQ(line["note"], "timer");
    EXPECT_EQ(line["t"], 1.0);
    ASSERT_EQ(line["out"].size(), 1U);
    EXPECT_EQ(line["out"][0]["kind"], "generated");
    machine.wait(1);
    EXPECT_EQ(machine.lines().size(), 2U) << "once";
}

TEST(Trace, APacketWithoutMemoryLeavesNothingOpen) {
    Machine m({{"--lua-desync=pass"}, "function pass() end", {}});
    ClockWithoutMemory clock;
    const FileDescriptor file = temporary_file();
    Trace trace(TraceFile(FileDescriptor(dup(file.get())), "trace"), clock, false);
    Services services{&clock,   m.random.get(),     &m.wire, &m.network, m.profiles.get(),
                      &m.lists, m.auto_hosts.get(), {},      nullptr};
    services.trace = &trace;
    Options options;
    options.lua_init = {{false, "function pass() end"}};
    Engine engine(std::move(options), services);
    ASSERT_TRUE(engine.init_lua({}));
    const auto data = udp(client4, server4, "x");
    capture::InputPacket packet;
    packet.data = data;
    clock.lacks = true;
    ErrorText errors;
    engine.on_packet(packet);
    EXPECT_FALSE(trace.is_busy());
    clock.lacks = false;
    engine.on_packet(packet);
    EXPECT_TRUE(trace.flush());
    EXPECT_GT(lseek(file.get(), 0, SEEK_END), 0) << "later packets are told of";
}

TEST(Trace, ChangesNothing) {
    const Config config{{"--in-range=a", "--lua-desync=f", "--lua-desync=g"},
                        "function f(ctx, d) if #d.dis.payload > 3 then rawsend_dissect(d.dis) "
                        "return VERDICT_DROP end end "
                        "function g(ctx, d) d.dis.ip.ip_ttl = 5 return VERDICT_MODIFY end"};
    Machine plain(config);
    Traced traced(config);
    const TcpFlow flow;
    const Buffer hello = two_part_hello();
    for (const Buffer& packet : {flow.syn(), flow.ack(), flow.from_client(text("abcdef"), 0),
                                 flow.from_client({hello.data(), 400}, 6),
                                 flow.from_client({hello.data() + 400, 200}, 406)}) {
        const Outcome a = plain.out(packet), b = traced.out(packet);
        EXPECT_EQ(a.action, b.action);
        EXPECT_EQ(a.data, b.data);
        EXPECT_EQ(a.sent, b.sent);
    }
}

TEST(TraceFile, AFailingWriteIsReportedOnce) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    FileDescriptor reader(ends[0]);
    TraceFile file{FileDescriptor(ends[1]), "my trace"};
    reader.reset();
    ErrorText errors;
    signal(SIGPIPE, SIG_IGN);
    file.write("line\n");
    EXPECT_FALSE(file.flush());
    file.write("line\n");
    EXPECT_FALSE(file.flush());
    EXPECT_EQ(errors.text(), "cannot write trace 'my trace': Broken pipe\n");
}

TEST(TraceFile, IsEmptiedAndGrowsByWholeLines) {
    profile::testing::TempDir dir;
    const std::string path = dir.write("trace", "old\n");
    TraceFile file(TraceFile::create(path).file, path);
    const std::string line(1000, 'x');
    for (int i = 0; i < 100; i++)
        file.write(line + "\n");
    EXPECT_EQ(dir.read("trace").size() % 1001, 0U);
    EXPECT_GT(dir.read("trace").size(), 60000U) << "not all is kept in memory";
    EXPECT_TRUE(file.flush());
    EXPECT_EQ(dir.read("trace").size(), 100100U);
    EXPECT_FALSE(TraceFile::create("/no/dir/trace"));
}

TEST(TraceFile, CopiesOfSeveralThreadsWriteWholeLines) {
    profile::testing::TempDir dir;
    const std::string path = dir.file("trace");
    TraceFile file(TraceFile::create(path).file, path);
    std::vector<std::thread> threads;
    for (char c = 'a'; c < 'e'; c++)
        threads.emplace_back([copy = file, c]() mutable {
            for (int i = 0; i < 500; i++) {
                copy.write(std::string(100, c) + "\n" + std::string(50, c) + "\n");
                if (i % 50 == 0) copy.flush();
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_TRUE(file.flush());
    std::istringstream in(dir.read("trace"));
    std::size_t lines = 0;
    for (std::string first, second; std::getline(in, first) && std::getline(in, second); lines++) {
        EXPECT_EQ(first, std::string(100, first[0]));
        EXPECT_EQ(second, std::string(50, first[0]));
    }
    EXPECT_EQ(lines, 2000U);
}

TEST(TraceFile, CopiesHaveOneStart) {
    TraceFile file(FileDescriptor(dup(1)), "x"), copy = file;
    EXPECT_EQ(file.start(5), 5);
    EXPECT_EQ(copy.start(7), 5);
}

} // namespace
} // namespace nfqws2::engine::test
