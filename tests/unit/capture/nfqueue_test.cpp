#include "capture/queue_losses.hpp"
#include "nfqws2/capture/nfqueue.hpp"
#include "nfqws2/capture/raw_sender.hpp"

#include "net_lab.hpp"

#include <csignal>
#include <deque>
#include <fstream>
#include <functional>
#include <linux/netlink.h>
#include <linux/udp.h>
#include <sstream>
#include <sys/time.h>
#include <thread>

namespace nfqws2::capture {
namespace {

using test::Buffer;
using test::NetLab;
using test::Sniffer;

constexpr std::uint32_t own_mark = 0x40000000;

class Handler final : public PacketHandler {
  public:
    struct Seen {
        Buffer data;
        std::uint32_t id, mark;
        std::string ifin, ifout;
        std::uint32_t ifin_index, ifout_index;
    };
    Verdict on_packet(const InputPacket& p) override {
        seen.push_back({{p.data.begin(), p.data.end()},
                        p.id,
                        p.mark,
                        std::string(p.ifin),
                        std::string(p.ifout),
                        p.ifin_index,
                        p.ifout_index});
        return decide ? decide(p) : Verdict{};
    }
    std::vector<Seen> seen;
    std::function<Verdict(const InputPacket&)> decide;
};

class NfQueueTest : public NetLab {
  protected:
    static constexpr std::uint16_t number = 211, port = 7000;
    static constexpr const char* rule_target = " -j NFQUEUE --queue-num 211 --queue-bypass";

    void SetUp() override {
        NetLab::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        if (!iptables("-t mangle -A POSTROUTING -p udp --dport 7000 -m mark ! --mark "
                      "0x40000000/0x40000000" +
                      std::string(rule_target)))
            GTEST_SKIP() << "iptables has no NFQUEUE target on this kernel";
        enter_far();
        sink_ = udp_socket(port);
        sniffer_.emplace("nq1");
        enter_near();
        source_ = udp_socket(0);
        warm_up();
    }
    // The neighbours must know each other before packets are counted.
    void warm_up() {
        send_udp(source_, "10.9.0.2", port, "warm");
        ASSERT_EQ(received(sink_, 2000), "warm") << "--queue-bypass lets it pass";
        while (sniffer_->next(50)) {
        }
    }
    bool open_queue(NfQueue::Options options = {number}) {
        testing::internal::CaptureStdout();
        const bool ok = queue_.open(options);
        std::fflush(stdout);
        status_ = testing::internal::GetCapturedStdout();
        return ok;
    }
    void close_queue() {
        testing::internal::CaptureStdout();
        queue_.close();
        std::fflush(stdout);
        status_ = testing::internal::GetCapturedStdout();
    }
    void send(std::string_view data) { send_udp(source_, "10.9.0.2", port, data); }
    // Handles what is queued until nothing is left.
    void handle() {
        while (queue_.receive(handler_, false) == NfQueue::Received::packets) {
        }
    }

    NfQueue queue_;
    Handler handler_;
    FileDescriptor sink_, source_;
    std::optional<Sniffer> sniffer_;
    std::string status_;
};

TEST_F(NfQueueTest, SetsTheQueueUpAndSaysSo) {
    ASSERT_TRUE(open_queue());
    EXPECT_EQ(status_, "opening nfq library handle\n"
                       "unbinding existing nf_queue handler for AF_INET (if any)\n"
                       "binding nfnetlink_queue as nf_queue handler for AF_INET\n"
                       "unbinding existing nf_queue handler for AF_INET6 (if any)\n"
                       "binding nfnetlink_queue as nf_queue handler for AF_INET6\n"
                       "binding this socket to queue '211'\n"
                       "setting copy_packet mode\n");
    std::ifstream file("/proc/net/netfilter/nfnetlink_queue");
    unsigned queue = 0, id = 0, waiting = 0, mode = 0, range = 0;
    file >> queue >> id >> waiting >> mode >> range;
    EXPECT_EQ(queue, number);
    EXPECT_EQ(mode, 2U) << "whole packets";
    EXPECT_EQ(range, 65531U) << "65535 asked for, the kernel keeps room for the attribute header";
    int size = 0;
    socklen_t length = sizeof(size);
    ASSERT_EQ(getsockopt(queue_.fd(), SOL_SOCKET, SO_RCVBUF, &size, &length), 0);
    EXPECT_EQ(size / 2, 1024 * 1024);
    close_queue();
    EXPECT_EQ(status_, "unbinding from queue 211\nclosing nfq library handle\n");
    EXPECT_EQ(queue_.fd(), -1);
}

// Column 2 of the row of a queue: the port of its socket.
unsigned owner_of(unsigned wanted) {
    std::ifstream file("/proc/net/netfilter/nfnetlink_queue");
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        unsigned queue = 0, owner = 0;
        if (words >> queue >> owner && queue == wanted) return owner;
    }
    return 0;
}

TEST_F(NfQueueTest, PortIsTheProcessIdWhereItIsWanted) {
    const auto pid = static_cast<unsigned>(getpid());
    NfQueue::Options options{number};
    options.take_merged = true;
    options.port_is_process_id = true;
    NfQueue first, second;
    testing::internal::CaptureStdout();
    ASSERT_TRUE(first.open(options));
    EXPECT_EQ(owner_of(number), pid);
    first.close();
    ASSERT_TRUE(first.open(options)) << "after a loss";
    EXPECT_EQ(owner_of(number), pid);

    testing::internal::CaptureStderr();
    options.number = number + 1;
    EXPECT_TRUE(second.open(options)) << "it works with another port too";
    EXPECT_NE(owner_of(number + 1), pid);
    EXPECT_NE(testing::internal::GetCapturedStderr().find("process id"), std::string::npos);
    second.close();
    first.close();
    testing::internal::GetCapturedStdout();
}

TEST_F(NfQueueTest, SecondOwnerIsRefusedAndTheFirstGoesOn) {
    ASSERT_TRUE(open_queue());
    NfQueue second;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    EXPECT_FALSE(second.open({number}));
    std::fflush(stdout);
    const std::string out = testing::internal::GetCapturedStdout();
    const std::string err = testing::internal::GetCapturedStderr();
    EXPECT_NE(err.find("nfq_create_queue(): Operation not permitted\n"), std::string::npos) << err;
    EXPECT_NE(out.find("binding this socket to queue '211'\nclosing nfq library handle\n"),
              std::string::npos)
        << out;
    send("x");
    handle();
    EXPECT_EQ(received(sink_), "x");
    EXPECT_EQ(handler_.seen.size(), 1U);
}

TEST_F(NfQueueTest, GivesTheQueueBackAndTakesItAgain) {
    ASSERT_TRUE(open_queue());
    close_queue();
    ASSERT_TRUE(open_queue());
    send("x");
    handle();
    EXPECT_EQ(received(sink_), "x");
}

TEST_F(NfQueueTest, ShowsThePacketAndAcceptsIt) {
    ASSERT_TRUE(open_queue());
    send("hello");
    handle();
    ASSERT_EQ(handler_.seen.size(), 1U);
    const Handler::Seen& s = handler_.seen[0];
    ASSERT_EQ(s.data.size(), 33U);
    EXPECT_EQ(s.data[0], 0x45);
    EXPECT_EQ(as_text(Bytes(s.data).subspan(28)), "hello");
    EXPECT_EQ(s.mark, 0U);
    EXPECT_EQ(s.ifin, "");
    EXPECT_EQ(s.ifin_index, 0U);
    EXPECT_EQ(s.ifout, "nq0");
    EXPECT_EQ(s.ifout_index, if_nametoindex("nq0"));
    EXPECT_EQ(received(sink_), "hello");
    EXPECT_EQ(queue_.counters().packets, 1U);
    EXPECT_EQ(queue_.counters().malformed, 0U);
    EXPECT_EQ(queue_.counters().refused, 0U);
}

TEST_F(NfQueueTest, IncomingInterfaceAndIpv6) {
    if (!iptables("-t mangle -A INPUT -p udp --dport 7001" + std::string(rule_target), true))
        GTEST_SKIP() << "ip6tables has no NFQUEUE target on this kernel";
    ASSERT_TRUE(open_queue());
    const FileDescriptor near_sink = udp_socket(7001, AF_INET6);
    enter_far();
    const FileDescriptor far_source = udp_socket(0, AF_INET6);
    enter_near();
    send_udp(far_source, "fd09::1", 7001, "six");
    pollfd p{queue_.fd(), POLLIN, 0};
    ASSERT_EQ(poll(&p, 1, test::patience_ms), 1);
    handle();
    ASSERT_EQ(handler_.seen.size(), 1U);
    EXPECT_EQ(handler_.seen[0].data[0] >> 4, 6);
    EXPECT_EQ(handler_.seen[0].ifin, "nq0");
    EXPECT_EQ(handler_.seen[0].ifout, "");
    EXPECT_EQ(received(near_sink), "six");
}

TEST_F(NfQueueTest, ModifiesAndDrops) {
    ASSERT_TRUE(open_queue());
    Buffer changed;
    handler_.decide = [&](const InputPacket& p) -> Verdict {
        if (p.data.back() == 'd') return {Action::drop, {}};
        if (p.data.back() != 'm') return {};
        changed = test::udp4(near_ip, far_ip, port, "a longer text than before");
        return {Action::modify, changed};
    };
    for (const char* text : {"1", "m", "d", "2"})
        send(text);
    handle();
    EXPECT_EQ(received(sink_), "1");
    EXPECT_EQ(received(sink_), "a longer text than before");
    EXPECT_EQ(received(sink_), "2");
    EXPECT_EQ(received(sink_, 100), std::nullopt);
}

TEST_F(NfQueueTest, MarkIsSeenAndKept) {
    ASSERT_TRUE(iptables("-t mangle -F"));
    ASSERT_TRUE(
        iptables("-t mangle -A OUTPUT -p udp -m length --length 33 -j MARK --set-mark 0x1234"));
    ASSERT_TRUE(iptables("-t mangle -A OUTPUT -p udp --dport 7000" + std::string(rule_target)));
    // Only packets that still have the mark behind the queue pass.
    ASSERT_TRUE(iptables("-t mangle -A POSTROUTING -p udp --dport 7000 -m mark ! --mark 0x1234 "
                         "-m length --length 33 -j DROP"));
    ASSERT_TRUE(open_queue());
    Buffer changed;
    handler_.decide = [&](const InputPacket& p) -> Verdict {
        if (p.data[28] != 'm') return {};
        changed = test::udp4(near_ip, far_ip, port, "MARKS");
        return {Action::modify, changed};
    };
    for (const char* text : {"first", "marks", "third", "3"})
        send(text);
    handle();
    ASSERT_EQ(handler_.seen.size(), 4U);
    EXPECT_EQ(handler_.seen[0].mark, 0x1234U);
    EXPECT_EQ(handler_.seen[3].mark, 0U);
    for (const char* text : {"first", "MARKS", "third", "3"})
        EXPECT_EQ(received(sink_), text);
}

TEST_F(NfQueueTest, ManyPacketsFewSystemCalls) {
    ASSERT_TRUE(open_queue());
    constexpr unsigned count = 300;
    for (unsigned i = 0; i < count; i++)
        send(std::to_string(i));
    handle();
    EXPECT_EQ(handler_.seen.size(), count);
    for (unsigned i = 0; i < count; i++)
        ASSERT_EQ(received(sink_), std::to_string(i));
    EXPECT_EQ(queue_.counters().batches, (count + 31) / 32);
    EXPECT_EQ(queue_.counters().verdict_messages, (count + 31) / 32);
    EXPECT_EQ(queue_.counters().refused, 0U);
}

TEST_F(NfQueueTest, EarlierVerdictsGoBeforeOwnPackets) {
    ASSERT_TRUE(open_queue());
    RawSender sender({});
    testing::internal::CaptureStdout();
    ASSERT_TRUE(sender.open());
    testing::internal::GetCapturedStdout();
    sender.set_before_send([&] { queue_.flush(); });
    handler_.decide = [&](const InputPacket& p) -> Verdict {
        if (p.data.back() == 'g') {
            const Buffer own = test::udp4(near_ip, far_ip, port, "own");
            EXPECT_TRUE(sender.send({own, own_mark, "", 2}));
        }
        return {};
    };
    for (const char* text : {"1", "2", "g", "3"})
        send(text);
    handle();
    for (const char* text : {"1", "2", "own", "own", "g", "3"})
        EXPECT_EQ(received(sink_), text);
    EXPECT_EQ(queue_.counters().batches, 1U) << "all in one batch, or the test shows nothing";
    EXPECT_EQ(handler_.seen.size(), 4U) << "own packets carry the mark and are not queued";
}

TEST_F(NfQueueTest, ManyModifiedPacketsOverflowTheVerdictBuffer) {
    ASSERT_TRUE(test::shell("ip link set nq0 mtu 9000") &&
                test::shell("ip -n " + far_ + " link set nq1 mtu 9000"));
    ASSERT_TRUE(open_queue());
    std::deque<Buffer> changed;
    handler_.decide = [&](const InputPacket& p) -> Verdict {
        const std::string text(8000, static_cast<char>(p.data.back()));
        changed.push_back(test::udp4(near_ip, far_ip, port, text));
        return {Action::modify, changed.back()};
    };
    for (char c = 'a'; c < 'a' + 20; c++)
        send(std::string(1, c));
    handle();
    for (char c = 'a'; c < 'a' + 20; c++)
        EXPECT_EQ(received(sink_), std::string(8000, c));
    EXPECT_EQ(queue_.counters().batches, 1U);
    EXPECT_EQ(queue_.counters().verdict_messages, 2U);
}

TEST_F(NfQueueTest, LargestModifiedPacketAndOneMore) {
    ASSERT_TRUE(open_queue());
    const FileDescriptor own_sink = udp_socket(port);
    Buffer changed;
    handler_.decide = [&](const InputPacket& p) -> Verdict {
        const std::size_t size = p.data.back() == 'L' ? 65531 : 65532;
        changed = test::udp4(0x7F000001, 0x7F000001, port, std::string(size - 28, 'x'));
        return {Action::modify, changed};
    };
    testing::internal::CaptureStderr();
    send_udp(source_, "127.0.0.1", port, "L");
    send_udp(source_, "127.0.0.1", port, "M");
    handle();
    const std::string errors = testing::internal::GetCapturedStderr();
    EXPECT_EQ(received(own_sink), std::string(65531 - 28, 'x'));
    EXPECT_EQ(received(own_sink), "M") << "the original";
    EXPECT_NE(errors.find("65532"), std::string::npos);
}

TEST_F(NfQueueTest, EmptyQueueAndSignalsGiveNothing) {
    ASSERT_TRUE(open_queue());
    EXPECT_EQ(queue_.receive(handler_, false), NfQueue::Received::nothing);

    struct sigaction quiet {
    }, old{};
    quiet.sa_handler = [](int) {};
    sigaction(SIGALRM, &quiet, &old); // without SA_RESTART, as the program does
    const itimerval soon{{0, 0}, {0, 50'000}};
    setitimer(ITIMER_REAL, &soon, nullptr);
    EXPECT_EQ(queue_.receive(handler_, true), NfQueue::Received::nothing);
    sigaction(SIGALRM, &old, nullptr);
}

TEST_F(NfQueueTest, BlockingReceiveWakesUpForAPacket) {
    ASSERT_TRUE(open_queue());
    std::thread later([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        send("late");
    });
    EXPECT_EQ(queue_.receive(handler_, true), NfQueue::Received::packets);
    later.join();
    EXPECT_EQ(received(sink_), "late");
}

TEST_F(NfQueueTest, BrokenSocketIsTold) {
    ASSERT_TRUE(open_queue());
    const FileDescriptor null(open("/dev/null", O_RDONLY | O_CLOEXEC));
    ASSERT_GE(dup2(null.get(), queue_.fd()), 0);
    testing::internal::CaptureStderr();
    EXPECT_EQ(queue_.receive(handler_, false), NfQueue::Received::broken);
    EXPECT_NE(testing::internal::GetCapturedStderr().find("recv"), std::string::npos);
    close_queue();
    ASSERT_TRUE(open_queue());
    send("again");
    handle();
    EXPECT_EQ(received(sink_), "again");
}

TEST_F(NfQueueTest, QueuedPacketsPassAtClose) {
    ASSERT_TRUE(open_queue());
    for (const char* text : {"1", "2", "3"})
        send(text);
    close_queue();
    for (const char* text : {"1", "2", "3"})
        EXPECT_EQ(received(sink_), text);
    EXPECT_TRUE(handler_.seen.empty());
}

TEST_F(NfQueueTest, OverrunIsCountedAndPacketsPass) {
    testing::internal::CaptureStderr();
    ASSERT_TRUE(open_queue({number, 4096, 4096}));
    const std::string big(1000, 'x');
    constexpr unsigned count = 100;
    for (unsigned i = 0; i < count; i++)
        send(big);
    unsigned passed = 0;
    while (received(sink_, 20))
        passed++;
    const std::optional<std::uint64_t> drops = queue_.kernel_drops();
    ASSERT_TRUE(drops);
    EXPECT_GT(*drops, 50U);
    // Both ways to ask give the same answer.
    sockaddr_nl address{};
    socklen_t size = sizeof(address);
    ASSERT_EQ(getsockname(queue_.fd(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_EQ(netlink_drops_of_socket(queue_.fd()), drops);
    EXPECT_EQ(netlink_drops_in_table(as_text(read_file("/proc/net/netlink").data), address.nl_pid),
              drops);
    EXPECT_EQ(passed, *drops) << "fail-open: what was not delivered to us has passed";
    handle();
    EXPECT_EQ(handler_.seen.size(), count - passed);
    while (received(sink_, 20))
        passed++;
    EXPECT_EQ(passed, count);
    testing::internal::GetCapturedStderr();
}

TEST_F(NfQueueTest, LossesAreReportedWhileItIsBusy) {
    ASSERT_TRUE(open_queue({number, 4096, 65536}));
    for (unsigned i = 0; i < 400; i++)
        send("x");
    testing::internal::CaptureStderr();
    handle();
    const std::string errors = testing::internal::GetCapturedStderr();
    const auto drops = queue_.kernel_drops();
    ASSERT_TRUE(drops);
    ASSERT_GT(*drops, 0U);
    EXPECT_EQ(errors, "queue 211: " + std::to_string(*drops) +
                          " packets passed unprocessed because they came faster than they could "
                          "be handled\n");
}

TEST_F(NfQueueTest, RenamedInterfaceIsNoticed) {
    ASSERT_TRUE(open_queue());
    send("1");
    handle();
    ASSERT_TRUE(test::shell("ip link set nq0 down") && test::shell("ip link set nq0 name other") &&
                test::shell("ip link set other up"));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    send("2");
    pollfd p{queue_.fd(), POLLIN, 0};
    ASSERT_EQ(poll(&p, 1, test::patience_ms), 1);
    handle();
    ASSERT_EQ(handler_.seen.size(), 2U);
    EXPECT_EQ(handler_.seen[0].ifout, "nq0");
    EXPECT_EQ(handler_.seen[1].ifout, "other");
}

// --- merged packets

class MergedTest : public NfQueueTest {
  protected:
    // Datagrams of `size` bytes with one system call: one packet up to the network card.
    void send_merged(std::string_view data, std::uint16_t size) {
        const int wanted = size;
        ASSERT_EQ(setsockopt(source_.get(), IPPROTO_UDP, UDP_SEGMENT, &wanted, sizeof(wanted)), 0);
        send(data);
        const int off = 0;
        setsockopt(source_.get(), IPPROTO_UDP, UDP_SEGMENT, &off, sizeof(off));
    }
    // The kernel queues no second piece of a flow that it does not know yet.
    void make_known() {
        send("known");
        handle();
        EXPECT_EQ(received(sink_), "known");
        handler_.seen.clear();
    }
    static std::string text_of(const Handler::Seen& s) {
        return std::string(as_text(Bytes(s.data).subspan(28)));
    }
};

constexpr NfQueue::Options taking_merged{.number = 211, .take_merged = true};

TEST_F(MergedTest, ComeWholeAndPassWhole) {
    ASSERT_TRUE(open_queue(taking_merged));
    handler_.decide = [](const InputPacket& p) -> Verdict {
        EXPECT_EQ(p.merged, p.data.size() > 36);
        return {};
    };
    make_known();
    send_merged("aaaabbbbcccc", 4);
    send("x");
    handle();
    ASSERT_EQ(handler_.seen.size(), 2U);
    EXPECT_EQ(handler_.seen[0].data.size(), 28 + 12U);
    for (const char* text : {"aaaa", "bbbb", "cccc", "x"})
        EXPECT_EQ(received(sink_), text);
}

TEST_F(MergedTest, AreNotTakenUnlessAsked) {
    ASSERT_TRUE(open_queue());
    make_known();
    send_merged("aaaabbbbcc", 4);
    handle();
    ASSERT_EQ(handler_.seen.size(), 3U);
    EXPECT_EQ(text_of(handler_.seen[2]), "cc");
}

TEST_F(MergedTest, PiecesComeBeforeAnythingElse) {
    ASSERT_TRUE(open_queue(taking_merged));
    Buffer changed;
    handler_.decide = [&](const InputPacket& p) -> Verdict {
        if (p.merged) return {Action::split, {}};
        if (p.data.back() == 'd') return {Action::drop, {}};
        if (p.data.back() != 'b') return {};
        changed = test::udp4(near_ip, far_ip, port, "modified");
        return {Action::modify, changed};
    };
    make_known();
    send("1");
    send_merged("aaaabbbbccccddddee", 4);
    send("2");
    send_merged("ffffgg", 4);
    handle();
    std::string order;
    for (const Handler::Seen& s : handler_.seen)
        order += (s.data.size() > 32 ? "split" : text_of(s)) + " ";
    EXPECT_EQ(order, "1 split aaaa bbbb cccc dddd ee 2 split ffff gg ");
    for (const char* text : {"1", "aaaa", "modified", "cccc", "ee", "2", "ffff", "gg"})
        EXPECT_EQ(received(sink_), text);
    EXPECT_EQ(received(sink_, 100), std::nullopt);
}

TEST_F(MergedTest, OwnPacketsKeepTheirPlaceAmongPieces) {
    ASSERT_TRUE(open_queue(taking_merged));
    RawSender sender({});
    testing::internal::CaptureStdout();
    ASSERT_TRUE(sender.open());
    testing::internal::GetCapturedStdout();
    sender.set_before_send([&] { queue_.flush(); });
    handler_.decide = [&](const InputPacket& p) -> Verdict {
        if (p.merged) return {Action::split, {}};
        const Buffer own = test::udp4(near_ip, far_ip, port, "own");
        EXPECT_TRUE(p.data.back() != 'b' || sender.send({own, own_mark, "", 1}));
        return {};
    };
    make_known();
    send("1");
    send_merged("aaaabbbbcccc", 4);
    handle();
    for (const char* text : {"1", "aaaa", "own", "bbbb", "cccc"})
        EXPECT_EQ(received(sink_), text);
}

TEST_F(MergedTest, ChecksumsAreWhole) {
    ASSERT_TRUE(open_queue(taking_merged));
    send("checksum");
    handle();
    ASSERT_EQ(handler_.seen.size(), 1U);
    const Bytes packet = handler_.seen[0].data;
    Buffer all = {0, 17}; // pseudo header: protocol, length, addresses
    all.insert(all.end(), packet.begin() + 24, packet.begin() + 26);
    all.insert(all.end(), packet.begin() + 12, packet.end());
    EXPECT_NE(load_be16(packet.data() + 26), 0);
    EXPECT_EQ(test::sum16(all), 0);
}

TEST_F(MergedTest, AnotherNumberIsTakenIfTheSecondOneIsInUse) {
    NfQueue other;
    testing::internal::CaptureStdout();
    ASSERT_TRUE(other.open({.number = number ^ 0x8000}));
    testing::internal::GetCapturedStdout();
    ASSERT_TRUE(open_queue(taking_merged));
    handler_.decide = [](const InputPacket& p) -> Verdict {
        return {p.merged ? Action::split : Action::accept, {}};
    };
    make_known();
    send_merged("aaaabb", 4);
    handle();
    EXPECT_EQ(handler_.seen.size(), 3U);
    close_queue();
    testing::internal::CaptureStdout();
    other.close();
    testing::internal::GetCapturedStdout();
}

TEST_F(MergedTest, BothQueuesAreGivenBack) {
    ASSERT_TRUE(open_queue(taking_merged));
    close_queue();
    std::ifstream file("/proc/net/netfilter/nfnetlink_queue");
    EXPECT_EQ(file.peek(), std::ifstream::traits_type::eof());
}

TEST_F(NfQueueTest, FinishedConnectionsComeNoMore) {
    const std::string ours = "-t mangle -I POSTROUTING -p udp --dport 7000 ";
    if (!iptables(ours + "-m connmark --mark 0x100/0x100 -j RETURN") ||
        !iptables(ours + "-m mark --mark 0x100/0x100 -j CONNMARK --or-mark 0x100"))
        GTEST_SKIP() << "iptables has no connection marks on this kernel";
    ASSERT_TRUE(open_queue({.number = number, .offload_mark = 0x100}));
    handler_.decide = [](const InputPacket& p) -> Verdict {
        return {Action::accept, {}, p.data.back() == 'f'};
    };
    send("1"); // the kernel's entry of the connection is certain once a packet has left
    handle();
    for (const char* text : {"f", "2"})
        send(text);
    handle();
    send("3");
    handle();
    EXPECT_EQ(handler_.seen.size(), 3U);
    for (const char* text : {"1", "f", "2", "3"})
        EXPECT_EQ(received(sink_), text);
}

} // namespace
} // namespace nfqws2::capture
