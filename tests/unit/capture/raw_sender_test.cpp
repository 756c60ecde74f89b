#include "nfqws2/capture/raw_sender.hpp"

#include "net_lab.hpp"

namespace nfqws2::capture {
namespace {

using test::Buffer;
using test::NetLab;
using test::Sniffer;
using test::unhex;

class RawSenderTest : public NetLab {
  protected:
    void SetUp() override {
        NetLab::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        // Static neighbours: nothing waits for address resolution.
        for (const auto& [ns, dev, other, peer] : {std::tuple{near_, "nq0", far_, "nq1"}}) {
            ASSERT_TRUE(test::shell(
                "mac=$(ip netns exec " + other + " cat /sys/class/net/" + peer +
                "/address); ip -n " + ns + " neigh replace 10.9.0.2 lladdr $mac dev " + dev +
                " && ip -n " + ns + " neigh replace fd09::2 lladdr $mac dev " + dev));
        }
        enter_far();
        sniffer_.emplace("nq1");
        enter_near();
    }
    static bool open(RawSender& sender, std::string* status = nullptr) {
        testing::internal::CaptureStdout();
        const bool ok = sender.open();
        std::fflush(stdout);
        const std::string out = testing::internal::GetCapturedStdout();
        if (status != nullptr) *status = out;
        return ok;
    }
    static bool send(RawSender& sender, const OutputPacket& packet, std::string* errors = nullptr) {
        testing::internal::CaptureStderr();
        const bool ok = sender.send(packet);
        const std::string text = testing::internal::GetCapturedStderr();
        if (errors != nullptr) *errors = text;
        return ok;
    }
    static Buffer to_far(std::string_view payload, std::uint16_t id = 0x1234) {
        return test::udp4(near_ip, far_ip, 7000, payload, id);
    }
    static Buffer v6(std::string_view payload, const char* to = "fd09::2") {
        const auto source = IpAddress::parse("fd09::1"), target = IpAddress::parse(to);
        return test::ipv6(source->bytes(), target->bytes(), 253, payload);
    }

    std::optional<Sniffer> sniffer_;
};

TEST_F(RawSenderTest, OpensAndTellsTheOptions) {
    RawSender plain({}), bound({true, true});
    std::string status;
    EXPECT_TRUE(open(plain, &status));
    EXPECT_EQ(status, "initializing raw sockets bind-fix4=0 bind-fix6=0\n");
    EXPECT_TRUE(open(bound, &status));
    EXPECT_EQ(status, "initializing raw sockets bind-fix4=1 bind-fix6=1\n");
}

TEST_F(RawSenderTest, SendsBothFamiliesAsGiven) {
    RawSender sender({});
    ASSERT_TRUE(open(sender));
    const Buffer four = to_far("four"), six = v6("six");
    EXPECT_TRUE(send(sender, {four, 0, "", 1}));
    EXPECT_EQ(sniffer_->next(), four);
    EXPECT_TRUE(send(sender, {six, 0, "", 1}));
    EXPECT_EQ(sniffer_->next(), six);
}

TEST_F(RawSenderTest, WorksWithoutOpen) {
    RawSender sender({});
    EXPECT_TRUE(send(sender, {to_far("x"), 0, "", 1}));
    EXPECT_TRUE(sniffer_->next());
}

TEST_F(RawSenderTest, RepeatsAndForeignSourceAddress) {
    RawSender sender({});
    ASSERT_TRUE(open(sender));
    const Buffer foreign = test::udp4(0xC0000201, far_ip, 7000, "spoof");
    EXPECT_TRUE(send(sender, {foreign, 0, "", 3}));
    for (unsigned i = 0; i < 3; i++)
        EXPECT_EQ(sniffer_->next(), foreign);
    EXPECT_FALSE(sniffer_->next(50));
}

TEST_F(RawSenderTest, MarkOfEachPacketIsInForce) {
    ASSERT_TRUE(iptables("-A OUTPUT -p udp --dport 7000 -m mark --mark 0x40000000/0x40000000 -j "
                         "ACCEPT"));
    ASSERT_TRUE(iptables("-A OUTPUT -p udp --dport 7000 -j DROP"));
    RawSender sender({});
    ASSERT_TRUE(open(sender));
    EXPECT_TRUE(send(sender, {to_far("1"), 0x40000000, "", 1}));
    EXPECT_TRUE(send(sender, {to_far("2"), 0x40000000, "", 1}));
    send(sender, {to_far("3"), 0x20000000, "", 1}); // dropped by the rule
    EXPECT_TRUE(send(sender, {to_far("4"), 0xFFFFFFFF, "", 1}));
    for (const char* payload : {"1", "2", "4"})
        EXPECT_EQ(sniffer_->next(), to_far(payload));
    EXPECT_FALSE(sniffer_->next(50));
}

TEST_F(RawSenderTest, KernelFillsInIpv4Fields) {
    RawSender sender({});
    ASSERT_TRUE(open(sender));
    // Wrong total length and checksum, no id, no source.
    Buffer p = to_far("abcd", 0);
    store_be16(&p[2], 10);
    store_be32(&p[12], 0);
    EXPECT_TRUE(send(sender, {p, 0, "", 1}));
    const auto got = sniffer_->next();
    ASSERT_TRUE(got);
    EXPECT_EQ(load_be16(&(*got)[2]), 32);
    EXPECT_NE(load_be16(&(*got)[4]), 0);
    EXPECT_EQ(load_be32(&(*got)[12]), near_ip);
    EXPECT_EQ(test::sum16(Bytes(*got).first(20)), 0);
    // With DF the id stays zero.
    p[6] = 0x40;
    EXPECT_TRUE(send(sender, {p, 0, "", 1}));
    EXPECT_EQ(load_be16(&sniffer_->next().value()[4]), 0);
}

TEST_F(RawSenderTest, Ipv6IsNotTouched) {
    RawSender sender({});
    ASSERT_TRUE(open(sender));
    Buffer p = v6("payload");
    store_be16(&p[4], 3); // a lie
    EXPECT_TRUE(send(sender, {p, 0, "", 1}));
    EXPECT_EQ(sniffer_->next(), p);
}

TEST_F(RawSenderTest, FragmentsStayFragments) {
    RawSender sender({});
    ASSERT_TRUE(open(sender));
    Buffer first = to_far("12345678"), second = to_far("abcd");
    first[6] = 0x20;  // more fragments
    second[7] = 0x02; // offset 16
    for (Buffer* p : {&first, &second}) {
        store_be16(&(*p)[10], 0);
        store_be16(&(*p)[10], test::sum16(Bytes(*p).first(20)));
    }
    EXPECT_TRUE(send(sender, {second, 0, "", 1}));
    EXPECT_TRUE(send(sender, {first, 0, "", 1}));
    EXPECT_EQ(sniffer_->next(), second);
    EXPECT_EQ(sniffer_->next(), first);
}

TEST_F(RawSenderTest, FailuresReturnFalseAndAreLoggedOncePerKind) {
    RawSender sender({});
    ASSERT_TRUE(open(sender));
    std::string errors;
    const Buffer large = to_far(std::string(1501 - 28, 'x'));
    EXPECT_FALSE(send(sender, {large, 0, "", 1}, &errors));
    EXPECT_EQ(errors, "rawsend: sendto (1501): Message too long\n");
    EXPECT_FALSE(send(sender, {large, 0, "", 1}, &errors));
    EXPECT_EQ(errors, "") << "the second one within a second is not shown";

    RawSender second({});
    ASSERT_TRUE(open(second));
    EXPECT_FALSE(send(second, {test::udp4(near_ip, 0xC6336414, 1, "x"), 0, "", 1}, &errors));
    EXPECT_EQ(errors, "rawsend: sendto (29): Network is unreachable\n");
    RawSender third({});
    ASSERT_TRUE(open(third));
    EXPECT_FALSE(send(third, {test::udp4(near_ip, 0x0A0900FF, 1, "x"), 0, "", 1}, &errors));
    EXPECT_EQ(errors, "rawsend: sendto (29): Permission denied\n") << "broadcast";
    EXPECT_TRUE(send(third, {test::udp4(0x7F000001, 0x7F000001, 1, "x"), 0, "", 1}));
}

TEST_F(RawSenderTest, RefusesWhatHasNoIpHeader) {
    RawSender sender({});
    ASSERT_TRUE(open(sender));
    unsigned flushed = 0;
    sender.set_before_send([&] { flushed++; });
    Buffer long_header = to_far("x");
    long_header[0] = 0x4F; // 60 bytes of header in 29 bytes
    const Buffer short4(19, 0x45), short6(39, 0x60);
    for (const Bytes p : {Bytes(long_header), Bytes(short4), Bytes(short6), Bytes()})
        EXPECT_FALSE(send(sender, {p, 0, "", 1}));
    EXPECT_FALSE(sniffer_->next(50));
    EXPECT_EQ(flushed, 0U);
    EXPECT_TRUE(send(sender, {to_far("x"), 0, "", 1}));
    EXPECT_EQ(flushed, 1U);
}

TEST_F(RawSenderTest, InterfaceIsIgnoredWithoutBindFix) {
    RawSender sender({false, true});
    ASSERT_TRUE(open(sender));
    EXPECT_TRUE(send(sender, {to_far("x"), 0, "nosuchdev", 1}));
    EXPECT_TRUE(sniffer_->next());
    EXPECT_FALSE(send(sender, {v6("x"), 0, "nosuchdev", 1})) << "bind-fix6 is on";
}

TEST_F(RawSenderTest, BindFixChoosesTheInterface) {
    RawSender sender({true, true});
    ASSERT_TRUE(open(sender));
    EXPECT_TRUE(send(sender, {to_far("1"), 0, "nq0", 1}));
    EXPECT_EQ(sniffer_->next(), to_far("1"));
    send(sender, {to_far("2"), 0, "lo", 1}); // leaves through lo, so never arrives here
    EXPECT_FALSE(sniffer_->next(50));
    EXPECT_TRUE(send(sender, {to_far("3"), 0, "", 1})) << "empty unbinds";
    EXPECT_EQ(sniffer_->next(), to_far("3"));

    std::string errors;
    EXPECT_FALSE(send(sender, {to_far("4"), 0, "nosuchdev", 1}, &errors));
    EXPECT_EQ(errors, "rawsend: setsockopt(SO_BINDTODEVICE): No such device\n");
    EXPECT_FALSE(send(sender, {to_far("5"), 0, "a-name-that-is-too-long", 1}));
    EXPECT_FALSE(sniffer_->next(50));
    EXPECT_TRUE(send(sender, {v6("6"), 0, "nq0", 1}));
    EXPECT_EQ(sniffer_->next(), v6("6"));
}

TEST_F(RawSenderTest, LinkLocalDestinationNeedsTheRightInterface) {
    RawSender sender({true, true});
    ASSERT_TRUE(open(sender));
    ASSERT_TRUE(test::shell("mac=$(ip netns exec " + far_ +
                            " cat /sys/class/net/nq1/address); ip -n " + near_ +
                            " neigh replace fe80::77 lladdr $mac dev nq0"));
    const Buffer p = v6("link", "fe80::77");
    EXPECT_TRUE(send(sender, {p, 0, "nq0", 1}));
    EXPECT_EQ(sniffer_->next(), p);
}

// A tunnel that went down and came back has a new number under the old name.
TEST_F(RawSenderTest, BoundInterfaceMayBeMadeAnew) {
    RawSender sender({true, false});
    ASSERT_TRUE(open(sender));
    EXPECT_TRUE(send(sender, {to_far("1"), 0, "nq0", 1}));
    EXPECT_TRUE(sniffer_->next());
    ASSERT_TRUE(
        test::shell("ip -n " + near_ + " link del nq0") &&
        test::shell("ip link add nq0 netns " + near_ + " type veth peer name nq1 netns " + far_) &&
        test::shell("ip -n " + near_ + " addr add 10.9.0.1/24 dev nq0") &&
        test::shell("ip -n " + near_ + " link set nq0 up") &&
        test::shell("ip -n " + far_ + " link set nq1 up"));
    ASSERT_TRUE(test::shell("ip -n " + near_ +
                            " neigh replace 10.9.0.2 lladdr "
                            "02:00:00:00:00:01 dev nq0"));
    enter_far();
    const Sniffer fresh("nq1");
    enter_near();
    EXPECT_TRUE(send(sender, {to_far("2"), 0, "nq0", 1}));
    EXPECT_EQ(fresh.next(), to_far("2"));
}

} // namespace
} // namespace nfqws2::capture
