// Two network namespaces joined by a veth pair: "near" (10.9.0.1, fd09::1, interface nq0) and "far"
// (10.9.0.2, fd09::2, interface nq1). The thread that runs the test enters them with setns.
#pragma once

#include "nfqws2/base/file.hpp"
#include "packets.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <optional>
#include <poll.h>
#include <sched.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace nfqws2::capture::test {

inline bool shell(const std::string& command) {
    return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

// What must come may take this long, on a machine that does much else.
inline constexpr int patience_ms = 20'000;

class NetLab : public testing::Test {
  protected:
    static constexpr std::uint32_t near_ip = 0x0A090001, far_ip = 0x0A090002;

    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "needs root";
        if (!shell("ip -V")) GTEST_SKIP() << "there is no ip (iproute2)";
        home_.reset(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
        near_ = "nfq2t" + std::to_string(getpid()) + "a";
        far_ = "nfq2t" + std::to_string(getpid()) + "b";
        if (!shell("ip netns add " + near_) || !shell("ip netns add " + far_))
            GTEST_SKIP() << "this kernel cannot make network namespaces";
        ASSERT_TRUE(
            shell("ip link add nq0 netns " + near_ + " type veth peer name nq1 netns " + far_));
        for (const auto& [ns, dev, digit] :
             {std::tuple{near_, "nq0", "1"}, std::tuple{far_, "nq1", "2"}}) {
            const std::string run = "ip netns exec " + ns + " ";
            ASSERT_TRUE(shell("ip -n " + ns + " link set lo up"));
            ASSERT_TRUE(shell(run + "sysctl -qw net.ipv6.conf.all.disable_ipv6=0 "
                                    "net.ipv6.conf.default.accept_dad=0"));
            ASSERT_TRUE(shell("ip -n " + ns + " addr add 10.9.0." + digit + "/24 dev " + dev));
            ASSERT_TRUE(
                shell("ip -n " + ns + " addr add fd09::" + digit + "/64 dev " + dev + " nodad"));
            ASSERT_TRUE(shell("ip -n " + ns + " link set " + dev + " up"));
        }
        enter_near();
    }

    void TearDown() override {
        if (home_) setns(home_.get(), CLONE_NEWNET);
        if (!near_.empty()) shell("ip netns del " + near_);
        if (!far_.empty()) shell("ip netns del " + far_);
    }

    void enter(const std::string& name) const {
        const FileDescriptor ns(open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC));
        ASSERT_EQ(setns(ns.get(), CLONE_NEWNET), 0);
    }
    void enter_near() const { enter(near_); }
    void enter_far() const { enter(far_); }

    // Runs iptables of the right kind in the near namespace; false if the kernel cannot do it.
    bool iptables(const std::string& arguments, bool v6 = false) const {
        const std::string name = v6 ? "ip6tables" : "iptables";
        for (const char* kind : {"-legacy ", "-nft ", " "})
            if (shell("ip netns exec " + near_ + " " + name + kind + arguments)) return true;
        return false;
    }

    // A UDP socket in the namespace that is current, bound to `port` if that is not 0.
    static FileDescriptor udp_socket(std::uint16_t port, int family = AF_INET) {
        FileDescriptor fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        // A queued packet counts for its sender: enough for all that a test queues.
        const int size = 8 * 1024 * 1024;
        setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
        setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
        if (family == AF_INET) {
            sockaddr_in a{};
            a.sin_family = AF_INET;
            a.sin_port = htons(port);
            EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&a), sizeof(a)), 0);
        } else {
            sockaddr_in6 a{};
            a.sin6_family = AF_INET6;
            a.sin6_port = htons(port);
            EXPECT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&a), sizeof(a)), 0);
        }
        return fd;
    }
    static void send_udp(const FileDescriptor& fd, const char* to, std::uint16_t port,
                         std::string_view data) {
        sockaddr_storage storage{};
        socklen_t size = 0;
        if (std::strchr(to, ':') == nullptr) {
            auto* a = reinterpret_cast<sockaddr_in*>(&storage);
            a->sin_family = AF_INET;
            a->sin_port = htons(port);
            inet_pton(AF_INET, to, &a->sin_addr);
            size = sizeof(*a);
        } else {
            auto* a = reinterpret_cast<sockaddr_in6*>(&storage);
            a->sin6_family = AF_INET6;
            a->sin6_port = htons(port);
            inet_pton(AF_INET6, to, &a->sin6_addr);
            size = sizeof(*a);
        }
        ASSERT_EQ(sendto(fd.get(), data.data(), data.size(), 0,
                         reinterpret_cast<sockaddr*>(&storage), size),
                  static_cast<ssize_t>(data.size()));
    }
    // The next datagram, or nullopt when none comes.
    static std::optional<std::string> received(const FileDescriptor& fd,
                                               int wait_ms = patience_ms) {
        pollfd p{fd.get(), POLLIN, 0};
        if (poll(&p, 1, wait_ms) != 1) return std::nullopt;
        static char buffer[70000];
        const ssize_t n = recv(fd.get(), buffer, sizeof(buffer), 0);
        if (n < 0) return std::nullopt;
        return std::string(buffer, static_cast<std::size_t>(n));
    }

    std::string near_, far_;

  private:
    FileDescriptor home_;
};

// Sees every IP packet that comes in through an interface of the current namespace, as it is.
class Sniffer {
  public:
    explicit Sniffer(const char* interface)
        : fd_(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
        sockaddr_ll a{};
        a.sll_family = AF_PACKET;
        a.sll_protocol = htons(ETH_P_ALL);
        a.sll_ifindex = static_cast<int>(if_nametoindex(interface));
        EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&a), sizeof(a)), 0);
    }
    // The next packet that is no neighbour discovery or multicast housekeeping.
    std::optional<Buffer> next(int wait_ms = patience_ms) const {
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
        for (;;) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                end - std::chrono::steady_clock::now());
            pollfd p{fd_.get(), POLLIN, 0};
            if (left.count() < 0 || poll(&p, 1, static_cast<int>(left.count())) != 1)
                return std::nullopt;
            Buffer b(70000);
            sockaddr_ll from{};
            socklen_t size = sizeof(from);
            const ssize_t n = recvfrom(fd_.get(), b.data(), b.size(), 0,
                                       reinterpret_cast<sockaddr*>(&from), &size);
            if (n < 20 || from.sll_pkttype == PACKET_OUTGOING) continue;
            b.resize(static_cast<std::size_t>(n));
            const bool v6_noise = b[0] >> 4 == 6 && (b[6] == 58 || b[6] == 0);
            if ((b[0] >> 4 == 4 || b[0] >> 4 == 6) && !v6_noise) return b;
        }
    }

  private:
    FileDescriptor fd_;
};

} // namespace nfqws2::capture::test
