#include "nfqws2/sandbox/seccomp.hpp"

#include "in_child.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <sstream>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>

namespace nfqws2::sandbox {
namespace {

using test::ChildResult;
using test::in_child;

void no_core_file() {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

// Makes the call inside the sandbox with arguments that cannot do harm.
ChildResult call(long number, long a = -1, long b = 0, long c = 0) {
    return in_child([=](int) {
        no_core_file();
        if (!forbid_system_calls()) return 1;
        syscall(number, a, b, c, 0L, 0L, 0L);
        return 0;
    });
}

struct Call {
    const char* name;
    long number;
};

const Call forbidden[] = {
    {"execve", SYS_execve},
    {"execveat", SYS_execveat},
    {"fchmod", SYS_fchmod},
    {"fchmodat", SYS_fchmodat},
    {"fchmodat2", 452},
    {"fchown", SYS_fchown},
    {"fchownat", SYS_fchownat},
    {"symlinkat", SYS_symlinkat},
    {"linkat", SYS_linkat},
    {"mknodat", SYS_mknodat},
    {"mkdirat", SYS_mkdirat},
    {"getdents64", SYS_getdents64},
    {"process_vm_readv", SYS_process_vm_readv},
    {"process_vm_writev", SYS_process_vm_writev},
    {"process_madvise", 440},
    {"tkill", SYS_tkill},
    {"tgkill", SYS_tgkill},
    {"kill", SYS_kill},
    {"ptrace", SYS_ptrace},
    {"pidfd_send_signal", 424},
    {"rt_sigqueueinfo", SYS_rt_sigqueueinfo},
    {"rt_tgsigqueueinfo", SYS_rt_tgsigqueueinfo},
    {"io_uring_setup", 425},
    {"io_uring_enter", 426},
    {"io_uring_register", 427},
#ifdef __x86_64__
    {"chmod", SYS_chmod},
    {"chown", SYS_chown},
    {"lchown", SYS_lchown},
    {"symlink", SYS_symlink},
    {"link", SYS_link},
    {"mknod", SYS_mknod},
    {"mkdir", SYS_mkdir},
    {"rmdir", SYS_rmdir},
    {"getdents", SYS_getdents},
    {"x32 getpid", 0x40000000 + SYS_getpid},
#endif
};

TEST(Seccomp, ForbiddenCallsEndTheProcess) {
    for (const Call& c : forbidden)
        EXPECT_EQ(call(c.number).signal, SIGSYS) << c.name;
}

TEST(Seccomp, RemovingADirectoryIsForbiddenEveryWay) {
    EXPECT_EQ(call(SYS_unlinkat, -1, 0, AT_REMOVEDIR).signal, SIGSYS);
    EXPECT_EQ(call(SYS_unlinkat, -1, 0, 0).status, 0);
}

TEST(Seccomp, SetsNoNewPrivileges) {
    const ChildResult r = in_child([](int out) {
        if (!forbid_system_calls()) return 1;
        std::ifstream file("/proc/self/status");
        std::stringstream text;
        text << file.rdbuf();
        return write(out, text.str().data(), text.str().size()) > 0 ? 0 : 2;
    });
    ASSERT_EQ(r.status, 0);
    EXPECT_NE(r.output.find("NoNewPrivs:\t1\n"), std::string::npos);
    EXPECT_NE(r.output.find("Seccomp:\t2\n"), std::string::npos);
}

// What scripts and the program itself go on using.
TEST(Seccomp, OrdinaryWorkGoesOn) {
    char directory[] = "/tmp/nfqws2-seccomp-XXXXXX";
    ASSERT_NE(mkdtemp(directory), nullptr);
    const std::string file = std::string(directory) + "/a", other = std::string(directory) + "/b";
    const ChildResult r = in_child([&](int) {
        if (!forbid_system_calls()) return 1;
        const int fd = open(file.c_str(), O_CREAT | O_WRONLY, 0600);
        if (fd < 0 || write(fd, "x", 1) != 1) return 2;
        if (rename(file.c_str(), other.c_str()) != 0 || unlink(other.c_str()) != 0) return 3;
        if (socket(AF_INET, SOCK_DGRAM, 0) < 0) return 4;
        bool ran = false;
        std::thread([&] { ran = true; }).join();
        return ran ? 0 : 5;
    });
    EXPECT_EQ(r.status, 0);
    std::filesystem::remove_all(directory);
}

TEST(Seccomp, CoversThreadsThatAlreadyRun) {
    const ChildResult r = in_child([](int) {
        no_core_file();
        int ready[2];
        if (pipe(ready) < 0) return 1;
        std::thread other([&] {
            char c = 0;
            if (read(ready[0], &c, 1) == 1) syscall(SYS_mkdirat, -1, 0L, 0L);
        });
        if (!forbid_system_calls()) return 2;
        if (write(ready[1], "x", 1) != 1) return 3;
        other.join();
        return 0;
    });
    EXPECT_EQ(r.signal, SIGSYS);
}

} // namespace
} // namespace nfqws2::sandbox
