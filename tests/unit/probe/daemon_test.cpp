#include "probe/daemon.hpp"
#include "probe/ports.hpp"

#include <cstdlib>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace nfqws2::probe;

TEST(DaemonsLog, HasLastWords) {
    EXPECT_EQ(last_words("a\nbad \x1b[1m\xff\n\n"), "bad  [1m?");
    EXPECT_EQ(last_words("without an end"), "without an end");
    EXPECT_EQ(last_words("\n"), "nfqws2 ended without a word");
}

TEST(DaemonsLog, HasErrorsOfProfiles) {
    const auto errors = lua_errors("LUA ERROR: one\n  in profile 2 x\nLUA ERROR: two\n"
                                   "LUA ERROR: three\n  in profile 10\n"
                                   "LUA ERROR: four\n  in profile 2\n  in profile 7\n");
    EXPECT_EQ(errors, (std::map<std::size_t, std::string>{{2, "LUA ERROR: one"},
                                                          {10, "LUA ERROR: three"}}));
}

TEST(AProcess, EndsWithItsCode) {
    Process process({"sh", "-c", "exit 7"}, STDERR_FILENO, STDERR_FILENO);
    EXPECT_EQ(process.wait(), 7);
    EXPECT_FALSE(process.alive());
    EXPECT_EQ(Process({"/nonexistent"}, STDERR_FILENO, STDERR_FILENO).wait(), 127);
    Process killed({"sh", "-c", "kill -9 $$"}, STDERR_FILENO, STDERR_FILENO);
    EXPECT_EQ(killed.wait(), 137);
}

TEST(AProcess, IsStopped) {
    Process process({"sleep", "1000"}, STDERR_FILENO, STDERR_FILENO);
    const pid_t pid = process.pid();
    EXPECT_TRUE(process.alive());
    process = Process();
    EXPECT_NE(kill(pid, 0), 0);
}

namespace {

// A port of 127.0.0.1 that is held.
struct Held {
    nfqws2::FileDescriptor fd{socket(AF_INET, SOCK_STREAM, 0)};
    std::uint16_t port = 0;
    Held() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        socklen_t size = sizeof address;
        bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size);
        getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port = ntohs(address.sin_port);
    }
};

} // namespace

TEST(LocalPorts, AreNotThoseOfOthers) {
    const Held held;
    ASSERT_GT(held.port, 20);
    const Range range{static_cast<std::uint16_t>(held.port - 10), held.port, 1};
    Ports ports(range, false, held.port - 1U);
    for (int n = 0; n < 20; ++n) {
        for (const auto port : ports.take(2)) {
            EXPECT_NE(port, held.port);
        }
    }
    EXPECT_TRUE(Ports({held.port, held.port, 1}, false, 0).take(1).empty());
    EXPECT_TRUE(ports.take(12).empty()); // more than there are
}

TEST(LocalPorts, AreToldAsARange) {
    EXPECT_EQ(range_text({5}), "5-5");
    EXPECT_EQ(range_text({5, 7, 8}), "5-8");
}
