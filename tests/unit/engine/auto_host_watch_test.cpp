// The detectors of the automatic host list (docs/contracts/lists.md#detectors).
#include "hellos.hpp"
#include "machine.hpp"

namespace nfqws2::engine::test {
namespace {

namespace flag = packet::tcp_flag;

const Lines none{};

std::string request(const std::string& host = "www.rst.com") {
    return "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n";
}

// A machine with an automatic list in a temporary folder.
class AutoHosts : public ::testing::Test {
  protected:
    void start(std::vector<std::string> words = {}, const std::string& listed = "") {
        words.insert(words.begin(),
                     {"--in-range=a", "--hostlist-auto=" + dir.write("auto.txt", listed),
                      "--hostlist-auto-fail-threshold=2"});
        words.insert(words.end(), {"--lua-desync=f"});
        machine = std::make_unique<Machine>(
            Config{words, "function f(ctx, d) tell(d.l7payload) end", {}});
        EXPECT_TRUE(machine->auto_hosts->set_debug_log(dir.file("log")));
    }
    // A new flow that has asked for the host.
    TcpFlow ask(const std::string& host = "www.rst.com") {
        TcpFlow flow({"10.1.0.1", next_port_++});
        machine->open(flow);
        last = machine->out(flow.from_client(as_bytes(request(host)), 0));
        return flow;
    }
    // Lines of the debug log without their time, newest last.
    Lines log() const {
        Lines lines;
        std::stringstream file(dir.read("log"));
        for (std::string line; std::getline(file, line);)
            lines.push_back(line.substr(line.find(" : ") + 3));
        return lines;
    }
    // Only what follows the protocol.
    Lines events() const {
        Lines lines = log();
        for (std::string& line : lines)
            line = line.substr(line.find(" : ", line.find("proto ")) + 3);
        return lines;
    }
    std::string list() const { return dir.read("auto.txt"); }
    Outcome reset(const TcpFlow& flow, std::uint32_t offset = 0) {
        return machine->in(flow.from_server({}, offset, flag::rst));
    }

    profile::testing::TempDir dir;
    std::unique_ptr<Machine> machine;
    Outcome last;

  private:
    std::uint16_t next_port_ = 2000;
};

TEST_F(AutoHosts, TwoResetsAddTheHost) {
    start();
    reset(ask());
    EXPECT_EQ(log(),
              (Lines{"www.rst.com : profile 1 (noname) : client 10.1.0.1:2000 : proto http : "
                     "rseq 1 : incoming RST",
                     "www.rst.com : profile 1 (noname) : client 10.1.0.1:2000 : proto http : "
                     "fail counter 1/2"}));
    EXPECT_EQ(list(), "");
    const TcpFlow second = ask();
    EXPECT_EQ(last.told, none);
    reset(second);
    EXPECT_EQ(events().back(), "adding to " + dir.file("auto.txt"));
    EXPECT_EQ(list(), "www.rst.com\n");
    // Open flows go on as before, new ones find the host.
    EXPECT_EQ(machine->out(second.from_client(text("x"), 100)).told, none);
    ask();
    EXPECT_EQ(last.told, Lines{"http_req"});
    // Once it is in the list, nothing is detected any more.
    const std::size_t lines = log().size();
    reset(ask());
    EXPECT_EQ(log().size(), lines);
}

TEST_F(AutoHosts, EachFlowReportsOnce) {
    start();
    const TcpFlow flow = ask();
    for (int i = 0; i < 5; i++)
        reset(flow);
    EXPECT_EQ(events(), (Lines{"rseq 1 : incoming RST", "fail counter 1/2"}));
}

TEST_F(AutoHosts, CounterWindowStartsAtTheFirstFailure) {
    start({"--hostlist-auto-fail-threshold=5", "--hostlist-auto-fail-time=3"});
    for (int i = 0; i < 4; i++) {
        reset(ask());
        machine->wait(2);
    }
    EXPECT_EQ(events(), (Lines{"rseq 1 : incoming RST", "fail counter 1/5", "rseq 1 : incoming RST",
                               "fail counter 2/5", "rseq 1 : incoming RST", "fail counter 1/5",
                               "rseq 1 : incoming RST", "fail counter 2/5"}));
}

TEST_F(AutoHosts, ResetsCountAtTheStartOfTheAnswerOnly) {
    struct {
        std::uint32_t offset;
        const char* event;
    } const cases[] = {{0, "rseq 1 : incoming RST"}, {4095, "rseq 4096 : incoming RST"}};
    for (const auto& c : cases) {
        start();
        reset(ask(), c.offset);
        EXPECT_EQ(events().front(), c.event);
        std::filesystem::remove(dir.file("log"));
    }
    start();
    reset(ask(), 4096); // beyond: the site works
    EXPECT_EQ(events(), none);
    // rseq 0 is nothing (a reset that answers the SYN).
    const TcpFlow flow = ask();
    machine->in(tcp(server4, {"10.1.0.1", 2002}, {flow.server_isn, 0, flag::rst}));
    EXPECT_EQ(events(), none);
}

TEST_F(AutoHosts, LongAnswerResetsTheCounter) {
    start();
    reset(ask());
    const TcpFlow flow = ask();
    machine->in(flow.from_server(Buffer(100, 'x'), 4095));
    EXPECT_EQ(events().back(), "fail counter 1/2");
    machine->in(flow.from_server(Buffer(100, 'x'), 4195));
    EXPECT_EQ(events().back(), "fail counter reset. website is working.");
    reset(ask());
    EXPECT_EQ(events().back(), "fail counter 1/2");
}

TEST_F(AutoHosts, IncomingDetectorCanBeOff) {
    start({"--hostlist-auto-incoming-maxseq=0"});
    reset(ask());
    EXPECT_EQ(events(), none);
}

TEST_F(AutoHosts, ForeignRedirectsCount) {
    struct {
        const char* location;
        bool foreign;
    } const cases[] = {{"http://block.isp.net/x", true},
                       {"https://other.rst.com/", false},
                       {"https://RST.com", false},
                       {"/path", false}};
    for (const auto& c : cases) {
        start();
        const TcpFlow flow = ask();
        machine->in(flow.from_server(
            text("HTTP/1.1 302 Found\r\nLocation: " + std::string(c.location) + "\r\n\r\n"), 0));
        EXPECT_EQ(events(), c.foreign
                                ? (Lines{"rseq 1 : redirect to another domain", "fail counter 1/2"})
                                : none)
            << c.location;
        std::filesystem::remove(dir.file("log"));
    }
}

TEST_F(AutoHosts, RetransmissionsCount) {
    start();
    const TcpFlow flow = ask();
    const Buffer again = flow.from_client(as_bytes(request()), 0);
    for (int i = 1; i <= 2; i++) {
        EXPECT_EQ(machine->out(again).sent, std::vector<Sent>{});
        EXPECT_EQ(events(), none);
    }
    const Outcome third = machine->out(again);
    EXPECT_TRUE(third.accepted()) << "the retransmitted packet still passes";
    EXPECT_EQ(third.sent.size(), 1U);
    EXPECT_EQ(events(), (Lines{"retrans threshold reached", "fail counter 1/2"}));
    EXPECT_EQ(machine->out(again).sent, std::vector<Sent>{});
}

// The packet that tips the scale names the host again; it and its flow still pass as they are.
TEST_F(AutoHosts, AddedHostIsForTheFlowsToCome) {
    start({"--hostlist-auto-fail-threshold=1", "--hostlist-auto-retrans-threshold=2"});
    const TcpFlow flow = ask();
    const Buffer again = flow.from_client(as_bytes(request()), 0);
    machine->out(again);
    ASSERT_EQ(list(), "");
    const Outcome tipping = machine->out(again);
    ASSERT_EQ(list(), "www.rst.com\n");
    EXPECT_EQ(tipping.told, none);
    EXPECT_EQ(machine->out(again).told, none);
    const auto size = static_cast<std::uint32_t>(request().size());
    EXPECT_EQ(machine->out(flow.from_client(as_bytes(request()), size)).told, none);
    // Another host on the same connection is another question.
    const std::string other = request("sub.www.rst.com");
    EXPECT_EQ(machine->out(flow.from_client(as_bytes(other), 2 * size)).told, Lines{"http_req"});
    ask();
    EXPECT_EQ(last.told, Lines{"http_req"});
}

TEST_F(AutoHosts, RetransmissionsThatAreNone) {
    start();
    const TcpFlow flow = ask();
    const auto size = static_cast<std::uint32_t>(request().size());
    for (std::uint32_t i = 0; i < 9; i++) // new data, and acknowledgements
        EXPECT_EQ(machine->out(flow.from_client(text("new"), size + 3 * i)).sent.size(), 0U);
    for (int i = 0; i < 9; i++)
        EXPECT_EQ(machine->out(flow.from_client({}, size)).sent.size(), 0U);
    EXPECT_EQ(events(), none);
}

TEST_F(AutoHosts, ProgressOfTheClientIsSuccess) {
    start({"--hostlist-auto-retrans-maxseq=2000"});
    reset(ask());
    const TcpFlow flow = ask();
    machine->out(flow.from_client(text("x"), 1999)); // rseq 2000
    EXPECT_EQ(events().back(), "fail counter 1/2");
    machine->out(flow.from_client(text("x"), 2000));
    EXPECT_EQ(events().back(), "fail counter reset. website is working.");
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(machine->out(flow.from_client(text("x"), 0)).sent.size(), 0U);
}

TEST_F(AutoHosts, ListedAndExcludedHostsAreNotWatched) {
    start({"--hostlist-exclude-domains=excluded.com"}, "listed.com\n");
    for (const char* host : {"listed.com", "excluded.com"}) {
        const TcpFlow flow = ask(host);
        EXPECT_EQ(last.told.size(), std::string(host) == "listed.com" ? 1U : 0U);
        for (int i = 0; i < 5; i++)
            EXPECT_EQ(machine->out(flow.from_client(as_bytes(request(host)), 0)).sent.size(), 0U);
        reset(flow);
    }
    EXPECT_EQ(log(), none);
}

TEST_F(AutoHosts, FlowsWithoutANameAreNotWatched) {
    start();
    const TcpFlow flow({"10.1.0.1", 1});
    machine->open(flow);
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(machine->out(flow.from_client(text("nothing known"), 0)).sent.size(), 0U);
    reset(flow);
    EXPECT_EQ(log(), none);
}

// --- the RST to the retransmitter, byte for byte

TEST_F(AutoHosts, RecordedReset) {
    start({"--hostlist-auto-retrans-threshold=2"});
    const Peer client{"10.99.1.1", 51802}, server{"10.99.1.2", 83};
    const std::uint32_t seq = 0x3388932C, ack = 0x27AD28B0;
    machine->out(tcp(client, server, {seq - 1, 0, flag::syn}));
    machine->in(tcp(server, client, {ack - 1, seq, flag::syn | flag::ack, 65160}));
    const Buffer data = tcp(client, server, {seq, ack, flag::ack | flag::psh}, as_bytes(request()));
    for (int i = 0; i < 2; i++)
        machine->out(data);
    const Outcome third = machine->process(data, "lan", "wan");
    ASSERT_EQ(third.sent.size(), 1U);
    // Deliberately better: window in network order (the reference: 88fe, checksum 2e5a), and the
    // desync mark, so that the packet is not queued again.
    EXPECT_EQ(third.sent[0].data, builders::hex("4500 0028 0000 4000 4006 2408 0a630102 0a630101 "
                                                "0053 ca5a 27ad28b0 3388932c 5004 fe88 b8cf 0000"));
    EXPECT_EQ(third.sent[0].mark, Machine::mark);
    EXPECT_EQ(third.sent[0].ifout, "lan");
}

TEST_F(AutoHosts, ResetCopiesHeaderFields) {
    start({"--hostlist-auto-retrans-threshold=2"});
    const TcpFlow flow = ask();
    Buffer again = flow.from_client(as_bytes(request()), 0);
    again[1] = 0x28;            // TOS
    store_be16(&again[4], 777); // id
    store_be16(&again[6], 0);   // no DF
    again[8] = 33;              // TTL
    again[32] |= 0x0E;          // reserved bits
    store_be16(&again[38], 99); // urgent pointer
    machine->out(again);
    const std::vector<Sent> sent = machine->out(again).sent;
    ASSERT_EQ(sent.size(), 1U);
    const Buffer& rst = sent[0].data;
    ASSERT_EQ(rst.size(), 40U);
    EXPECT_EQ(rst[1], 0x28);
    EXPECT_EQ(load_be16(&rst[4]), 0);
    EXPECT_EQ(load_be16(&rst[6]), 0);
    EXPECT_EQ(rst[8], 33);
    EXPECT_EQ(rst[32], 0x5E);
    EXPECT_EQ(rst[33], flag::rst);
    EXPECT_EQ(load_be16(&rst[38]), 99);
}

TEST_F(AutoHosts, ResetOverIpv6) {
    start({"--hostlist-auto-retrans-threshold=2"});
    TcpFlow flow(client6, server6);
    for (const bool answered : {true, false}) {
        if (answered) {
            machine->open(flow);
        } else {
            flow = TcpFlow({"fd00::1", 77}, server6);
            machine->out(flow.syn());
        }
        const Buffer data = flow.from_client(as_bytes(request("six.com")), 0);
        machine->out(data);
        machine->out(data);
        const std::vector<Sent> sent = machine->out(data).sent;
        ASSERT_EQ(sent.size(), 1U);
        const Buffer& rst = sent[0].data;
        ASSERT_EQ(rst.size(), 60U);
        EXPECT_EQ(load_be32(&rst[0]), answered ? 0x60012345U : 0x60000000U); // the server's flow
        EXPECT_EQ(load_be16(&rst[4]), 20);
        EXPECT_EQ(rst[6], 6);
        EXPECT_EQ(rst[7], 64);
        EXPECT_TRUE(std::equal(&rst[8], &rst[24], &data[24]));
        EXPECT_TRUE(std::equal(&rst[24], &rst[40], &data[8]));
        EXPECT_EQ(load_be32(&rst[44]), load_be32(&data[48])); // seq = its ack
        EXPECT_EQ(load_be32(&rst[48]), load_be32(&data[44])); // ack = its seq
    }
}

TEST_F(AutoHosts, ResetCanBeSwitchedOff) {
    start({"--hostlist-auto-retrans-reset=0"});
    const TcpFlow flow = ask();
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(machine->out(flow.from_client(as_bytes(request()), 0)).sent.size(), 0U);
    EXPECT_EQ(events(), (Lines{"retrans threshold reached", "fail counter 1/2"}));
}

// --- UDP

TEST_F(AutoHosts, SilenceAfterFourDatagramsIsAFailure) {
    start();
    const Buffer initial = initial_with(hello_message(400, "quic.com"), 0, 400);
    for (std::uint16_t flow = 0; flow < 2; flow++) {
        const Peer client{"10.1.0.1", static_cast<std::uint16_t>(3000 + flow)};
        for (int i = 0; i < 6; i++)
            machine->out(udp(client, server4, initial));
    }
    EXPECT_EQ(events(),
              (Lines{"udp_in 0<=1 udp_out 4>=4", "fail counter 1/2", "udp_in 0<=1 udp_out 4>=4",
                     "fail counter 2/2", "adding to " + dir.file("auto.txt")}));
    EXPECT_EQ(log()[0].substr(0, 73),
              "quic.com : profile 1 (noname) : client 10.1.0.1:3000 : proto quic : udp_i");
    EXPECT_EQ(list(), "quic.com\n");
}

TEST_F(AutoHosts, AnswersOverUdpAreSuccess) {
    start();
    const Buffer initial = initial_with(hello_message(400, "quic.com"), 0, 400);
    const auto exchange = [&](std::uint16_t port, int out, int in) {
        for (int i = 0; i < out; i++)
            machine->out(udp(Peer{"10.1.0.1", port}, server4, initial));
        for (int i = 0; i < in; i++)
            machine->in(udp(server4, Peer{"10.1.0.1", port}, "reply"));
    };
    exchange(3000, 4, 0);
    exchange(3001, 1, 1);
    EXPECT_EQ(events().back(), "fail counter 1/2");
    exchange(3002, 1, 2);
    EXPECT_EQ(events().back(), "fail counter reset. website is working.");
}

TEST_F(AutoHosts, HeldDatagramsCountWhenTheyCame) {
    start({"--hostlist-auto-udp-out=2"});
    const Buffer hello = hello_message(1500, "quic.com");
    machine->out(udp(client4, server4, initial_with(hello, 0, 900)));
    machine->out(udp(client4, server4, initial_with(hello, 900, 1500)));
    EXPECT_EQ(events(), (Lines{"udp_in 0<=1 udp_out 2>=2", "fail counter 1/2"}));
}

TEST_F(AutoHosts, UdpDetectorCanBeOff) {
    start({"--hostlist-auto-udp-out=0"});
    const Buffer initial = initial_with(hello_message(400, "quic.com"), 0, 400);
    for (int i = 0; i < 9; i++)
        machine->out(udp(client4, server4, initial));
    EXPECT_EQ(events(), none);
}

} // namespace
} // namespace nfqws2::engine::test
