#include "app/start/startup.hpp"

#include "../child_run.hpp"
#include "app/run/process_clock.hpp"
#include "app/start/daemon.hpp"

#include <sys/socket.h>
#include <sys/un.h>

namespace nfqws2::app {
namespace {

TEST(Startup, ExeDir) {
    const TempDir dir;
    const std::string real = std::filesystem::canonical(dir.path()).string();
    std::filesystem::create_directory_symlink(dir.path(), dir / "link");
    setenv("EXEDIR", "inherited", 1);
    set_exe_dir((dir / "link/prog").c_str());
    EXPECT_STREQ(getenv("EXEDIR"), real.c_str()) << "argv[0] with a directory";
    set_exe_dir("prog");
    EXPECT_EQ(getenv("EXEDIR"),
              std::filesystem::read_symlink("/proc/self/exe").parent_path().string())
        << "found through PATH";
    set_exe_dir((dir / "missing/prog").c_str());
    EXPECT_EQ(getenv("EXEDIR"), nullptr);
}

TEST(Startup, StandardDescriptorsAreOpened) {
    const TempDir dir;
    const auto result = in_child(dir, [] {
        close(0);
        close(1);
        close(2);
        keep_standard_descriptors();
        for (int fd = 0; fd <= 2; fd++)
            if (fcntl(fd, F_GETFD) < 0) return 1;
        return 0;
    });
    EXPECT_EQ(result.code, 0);
}

TEST(Startup, PidFileHasNoNewline) {
    const TempDir dir;
    PidFile none;
    EXPECT_TRUE(none.open(""));
    none.write(1);
    PidFile file;
    ASSERT_TRUE(file.open(dir.file("pid", "longer than any process id")));
    file.write(4321);
    EXPECT_EQ(read_text(dir / "pid"), "4321");
}

TEST(Startup, DaemoniseDetaches) {
    const TempDir dir;
    std::filesystem::current_path("/tmp");
    const auto result = in_child(dir, [&] {
        PidFile pid_file;
        pid_file.open(dir / "pid");
        Background background;
        background.begin();
        pid_file.write(getpid());
        background.ready();
        char target[64] = "";
        [[maybe_unused]] const auto n = readlink("/proc/self/fd/1", target, sizeof target - 1);
        std::ofstream(dir / "new") << getpid() << ' ' << target << ' ' << (getsid(0) == getpid())
                                   << ' ' << std::filesystem::current_path().string();
        std::filesystem::rename(dir / "new", dir / "result");
        return 7;
    });
    EXPECT_EQ(result.code, 0) << "the parent";
    for (int i = 0; i < 6000 && !std::filesystem::exists(dir / "result"); i++)
        usleep(10'000);
    EXPECT_EQ(read_text(dir / "result"), read_text(dir / "pid") + " /dev/null 1 /tmp");
}

TEST(Startup, ParentEndsAsTheChildThatIsNotReady) {
    const TempDir dir;
    const auto exits = in_child(dir, [] {
        Background background;
        background.begin();
        return 7;
    });
    EXPECT_EQ(exits.code, 7);
    const auto killed = in_child(dir, [] {
        Background background;
        background.begin();
        raise(SIGSYS);
        return 0;
    });
    EXPECT_EQ(killed.signal, SIGSYS);
}

TEST(Startup, ParentPassesTerminationOn) {
    const TempDir dir;
    const auto result = in_child(dir, [] {
        const pid_t outer = getpid();
        signal(SIGTERM, [](int) { _exit(9); });
        Background background;
        background.begin();
        kill(outer, SIGTERM);
        for (;;)
            pause();
        return 0;
    });
    EXPECT_EQ(result.code, 9);
}

class NotifySocket : public testing::TestWithParam<bool> {};

TEST_P(NotifySocket, GetsReady) {
    const TempDir dir;
    const bool is_abstract = GetParam();
    const std::string path = dir / "notify";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path + (is_abstract ? 1 : 0), sizeof address.sun_path - 2);
    const FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() +
                                               (is_abstract ? 1 : 0));
    ASSERT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    setenv("NOTIFY_SOCKET", ((is_abstract ? "@" : "") + path).c_str(), 1);
    notify_ready();
    unsetenv("NOTIFY_SOCKET");
    char text[32] = "";
    EXPECT_EQ(recv(socket.get(), text, sizeof text, 0), 7);
    EXPECT_STREQ(text, "READY=1");
}
INSTANTIATE_TEST_SUITE_P(Startup, NotifySocket, testing::Bool());

TEST(Startup, ProcessClockGoesVirtual) {
    ProcessClock clock;
    const auto real = clock.unix_s();
    clock.advance_to(5);
    EXPECT_GE(clock.unix_s(), real) << "a real clock cannot be moved";
    EXPECT_GT(real, 1'600'000'000);
    clock.go_virtual(1000);
    EXPECT_EQ(clock.unix_ns(), 1000);
    clock.advance_to(900);
    EXPECT_EQ(clock.boot_ns(), 1000) << "never back";
    clock.advance_to(1100);
    EXPECT_EQ(clock.boot_ns(), 1100);
}

} // namespace
} // namespace nfqws2::app
