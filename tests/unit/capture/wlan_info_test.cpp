// The conversation about Wi-Fi networks, with a thread that answers like the kernel.
#include "nfqws2/capture/wlan.hpp"

#include "wlan_messages.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace nfqws2::capture {
namespace {

using namespace testing_wlan;

struct Wifi {
    std::uint32_t index;
    std::string ssid; // "" = not connected
};

class FakeKernel {
  public:
    FakeKernel() {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
        program_end.reset(ends[0]);
        kernel_end_.reset(ends[1]);
        thread_ = std::thread([this] { serve(); });
    }
    ~FakeKernel() {
        shutdown(kernel_end_.get(), SHUT_RDWR);
        thread_.join();
    }
    // What is there from now on.
    void set(std::map<std::string, Wifi> interfaces, int error = 0) {
        const std::lock_guard lock(mutex_);
        interfaces_ = std::move(interfaces);
        error_ = error;
    }
    void set_family(std::uint16_t family) { family_ = family; }
    int dumps() {
        const std::lock_guard lock(mutex_);
        return dumps_;
    }

    FileDescriptor program_end;

  private:
    void serve() {
        alignas(nlmsghdr) std::uint8_t request[4096];
        for (;;) {
            const ssize_t size = recv(kernel_end_.get(), request, sizeof request, 0);
            if (size < static_cast<ssize_t>(MNL_NLMSG_HDRLEN + sizeof(genlmsghdr))) return;
            answer(*reinterpret_cast<const nlmsghdr*>(request));
        }
    }
    void answer(const nlmsghdr& request) {
        const std::lock_guard lock(mutex_);
        sequence_ = request.nlmsg_seq;
        const auto* generic = static_cast<const genlmsghdr*>(mnl_nlmsg_get_payload(&request));
        if (request.nlmsg_type == GENL_ID_CTRL) return answer_family();
        EXPECT_EQ(request.nlmsg_type, family_);
        if (generic->cmd == NL80211_CMD_GET_INTERFACE) return answer_interfaces();
        const auto* index = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&request, 4));
        answer_scan(mnl_attr_get_u32(index));
    }
    void answer_family() {
        if (family_ == 0) return end(NLMSG_ERROR, -ENOENT);
        send(Message(CTRL_CMD_NEWFAMILY, GENL_ID_CTRL).u16(CTRL_ATTR_FAMILY_ID, family_));
        end(NLMSG_ERROR, 0);
    }
    void answer_interfaces() {
        dumps_++;
        for (const auto& [name, wifi] : interfaces_) {
            // One of an earlier request that was given up: not for this one.
            send(Message(NL80211_CMD_NEW_INTERFACE)
                     .u32(NL80211_ATTR_IFINDEX, 99)
                     .text(NL80211_ATTR_IFNAME, name.c_str()),
                 sequence_ - 1);
            send(Message(NL80211_CMD_NEW_INTERFACE)
                     .u32(NL80211_ATTR_IFINDEX, wifi.index)
                     .text(NL80211_ATTR_IFNAME, name.c_str()));
        }
        end(error_ != 0 ? NLMSG_ERROR : NLMSG_DONE, -error_);
    }
    void answer_scan(std::uint32_t index) {
        for (const auto& [name, wifi] : interfaces_) {
            if (wifi.index != index) continue;
            Message foreign = scan_result(99, element(0, "neighbour"));
            send(foreign);
            if (wifi.ssid.empty()) continue;
            Message own = scan_result(NL80211_BSS_STATUS_ASSOCIATED, element(0, wifi.ssid));
            send(own);
        }
        end(NLMSG_DONE, 0);
    }
    void send(Message& message) { send(message, sequence_); }
    void send(Message& message, std::uint32_t sequence) {
        const Bytes data = message.sequence(sequence).data();
        EXPECT_EQ(::send(kernel_end_.get(), data.data(), data.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(data.size()));
    }
    void end(std::uint16_t type, int code) {
        struct {
            nlmsghdr header;
            int code;
        } message{{sizeof message, type, 0, sequence_, 0}, code};
        ::send(kernel_end_.get(), &message, sizeof message, MSG_NOSIGNAL);
    }

    FileDescriptor kernel_end_;
    std::thread thread_;
    std::mutex mutex_;
    std::map<std::string, Wifi> interfaces_;
    std::uint32_t sequence_ = 0;
    std::uint16_t family_ = 28;
    int error_ = 0, dumps_ = 0;
};

constexpr std::int64_t patience_ms = 60'000; // the thread may have to wait for a processor

void wait_for_the_next_refresh() {
    std::this_thread::sleep_for(std::chrono::milliseconds(1050));
}

TEST(WlanInfo, NamesOfConnectedInterfaces) {
    FakeKernel kernel;
    kernel.set({{"wlan0", {3, "home"}}, {"wlan1", {4, ""}}, {"wlan2", {5, "Zu Hause"}}});
    WlanInfo wlan;
    ASSERT_TRUE(wlan.start(std::move(kernel.program_end), patience_ms));
    EXPECT_EQ(wlan.ssid("wlan0"), "home");
    EXPECT_EQ(wlan.ssid("wlan1"), "");
    EXPECT_EQ(wlan.ssid("wlan2"), "Zu Hause");
    EXPECT_EQ(wlan.ssid("eth0"), "");
    EXPECT_EQ(wlan.ssid(""), "");
}

TEST(WlanInfo, AsksAtMostOnceASecond) {
    FakeKernel kernel;
    kernel.set({{"wlan0", {3, "home"}}});
    WlanInfo wlan;
    ASSERT_TRUE(wlan.start(std::move(kernel.program_end), patience_ms));
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 1000; i++)
        EXPECT_EQ(wlan.ssid("wlan0"), "home");
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
    EXPECT_LE(kernel.dumps(), 1 + seconds.count() + 1);
    kernel.set({{"wlan0", {3, "work"}}, {"wlan7", {9, "new"}}});
    wait_for_the_next_refresh();
    EXPECT_EQ(wlan.ssid("wlan0"), "work");
    EXPECT_EQ(wlan.ssid("wlan7"), "new");
    kernel.set({});
    wait_for_the_next_refresh();
    EXPECT_EQ(wlan.ssid("wlan0"), "");
}

TEST(WlanInfo, FailureKeepsWhatWasKnown) {
    FakeKernel kernel;
    kernel.set({{"wlan0", {3, "home"}}});
    WlanInfo wlan;
    ASSERT_TRUE(wlan.start(std::move(kernel.program_end), patience_ms));
    EXPECT_EQ(wlan.ssid("wlan0"), "home");
    kernel.set({}, EBUSY);
    wait_for_the_next_refresh();
    testing::internal::CaptureStderr();
    EXPECT_EQ(wlan.ssid("wlan0"), "home");
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "cannot get wlan info\n");
}

TEST(WlanInfo, KernelWithoutTheFamily) {
    FakeKernel kernel;
    kernel.set_family(0);
    WlanInfo wlan;
    testing::internal::CaptureStderr();
    EXPECT_FALSE(wlan.start(std::move(kernel.program_end), patience_ms));
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "nl80211: No such file or directory\n");
    EXPECT_EQ(wlan.ssid("wlan0"), "");
}

// Machines without Wi-Fi support in the kernel say so at the start.
TEST(WlanInfo, OpensWhereTheKernelKnowsWifi) {
    WlanInfo wlan;
    testing::internal::CaptureStderr();
    const bool opened = wlan.open();
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(said.empty(), opened) << said;
    EXPECT_EQ(said.find("nl80211: ") == std::string::npos, opened) << said;
    EXPECT_EQ(wlan.ssid("no-such-interface"), "");
    EXPECT_EQ(wlan.ssid(""), "");
}

} // namespace
} // namespace nfqws2::capture
