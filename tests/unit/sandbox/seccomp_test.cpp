#include "nfqws2/sandbox/seccomp.hpp"

#include "in_child.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/sandbox/privileges.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <sstream>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>

// There in a sanitized program only.
extern "C" void __asan_init() __attribute__((weak)); // NOLINT(bugprone-reserved-identifier)

namespace nfqws2::sandbox {
namespace {

using test::ChildResult;
using test::in_child;

void no_core_file() {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

bool fenced(Mode mode = Mode::enforce) {
    return forbid_new_privileges() && forbid_system_calls(mode);
}

// Makes the call inside the sandbox with arguments that cannot do harm.
ChildResult call(long number, long a = -1, long b = 0, long c = 0) {
    return in_child([=](int) {
        no_core_file();
        if (!fenced()) return 1;
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
    {"fork", SYS_fork},
    {"vfork", SYS_vfork},
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
        if (!fenced()) return 1;
        std::ifstream file("/proc/self/status");
        std::stringstream text;
        text << file.rdbuf();
        return write(out, text.str().data(), text.str().size()) > 0 ? 0 : 2;
    });
    ASSERT_EQ(r.status, 0);
    EXPECT_NE(r.output.find("NoNewPrivs:\t1\n"), std::string::npos);
    EXPECT_NE(r.output.find("Seccomp:\t2\n"), std::string::npos);
}

struct Conditional {
    const char* name;
    long number;
    long arguments[3];
    bool allowed;
};

// The pointers are bad on purpose: an allowed call gets as far as to say so.
const Conditional conditional[] = {
    {"clone into namespaces", SYS_clone, {CLONE_NEWUSER, 0, 0}, false},
    {"clone of a process", SYS_clone, {SIGCHLD, 0, 0}, false},
    {"clone as vfork does", SYS_clone, {CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0}, false},
    {"mmap, executable", SYS_mmap, {0, 4096, PROT_READ | PROT_EXEC}, false},
    {"mmap, both", SYS_mmap, {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC}, false},
    {"mmap", SYS_mmap, {0, 0, PROT_READ | PROT_WRITE}, true},
    {"mprotect, both", SYS_mprotect, {0, 0, PROT_READ | PROT_WRITE | PROT_EXEC}, false},
    {"mprotect, executable only", SYS_mprotect, {0, 0, PROT_EXEC}, false},
    {"mprotect, sealed", SYS_mprotect, {0, 0, PROT_READ | PROT_EXEC}, true},
    {"mprotect", SYS_mprotect, {0, 0, PROT_READ | PROT_WRITE}, true},
    {"fcntl(F_SETOWN)", SYS_fcntl, {0, F_SETOWN, 1}, false},
    {"fcntl(F_SETSIG)", SYS_fcntl, {0, F_SETSIG, SIGKILL}, false},
    {"fcntl(F_GETFL)", SYS_fcntl, {0, F_GETFL, 0}, true},
    {"ioctl(TIOCSTI)", SYS_ioctl, {0, TIOCSTI, 0}, false},
    {"ioctl(TCGETS)", SYS_ioctl, {-1, TCGETS, 0}, true},
    {"prctl(PR_SET_SECCOMP)", SYS_prctl, {PR_SET_SECCOMP, 0, 0}, false},
    {"prctl(PR_SET_DUMPABLE)", SYS_prctl, {PR_SET_DUMPABLE, 1, 0}, false},
    {"prctl(PR_SET_NAME)", SYS_prctl, {PR_SET_NAME, 0, 0}, true},
    {"rt_sigaction(SIGSYS)", SYS_rt_sigaction, {SIGSYS, 0, 0}, false},
    {"rt_sigaction(SIGTERM)", SYS_rt_sigaction, {SIGTERM, 0, 0}, true},
    {"setpriority of another", SYS_setpriority, {PRIO_PROCESS, 1, 0}, false},
    {"prlimit64, set", SYS_prlimit64, {0, RLIMIT_CORE, 1}, false}, // the third is the new limit
    {"prlimit64, read", SYS_prlimit64, {0, RLIMIT_CORE, 0}, true},
    {"prlimit64 of another", SYS_prlimit64, {1, RLIMIT_CORE, 0}, false},
    {"socket(AF_INET6)", SYS_socket, {AF_INET6, SOCK_DGRAM, 0}, true},
    {"socket(AF_INET), raw", SYS_socket, {AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW}, true},
    {"socket(AF_INET), TCP", SYS_socket, {AF_INET, SOCK_STREAM, 0}, false},
    {"socket(AF_INET6), TCP", SYS_socket, {AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0}, false},
    {"socket(AF_INET), ICMP", SYS_socket, {AF_INET, SOCK_RAW, IPPROTO_ICMP}, false},
    {"socket(AF_INET), SCTP", SYS_socket, {AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP}, false},
    {"socket(AF_UNIX)", SYS_socket, {AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0}, true},
    {"the queue", SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER}, true},
    {"routes", SYS_socket, {AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE}, true},
    {"audit", SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_AUDIT}, false},
    {"ipsec", SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_XFRM}, false},
    {"socket(AF_PACKET)", SYS_socket, {AF_PACKET, SOCK_RAW, 0}, false},
    {"socket(AF_ALG)", SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}, false},
    {"unlinkat(AT_REMOVEDIR)", SYS_unlinkat, {-1, 0, AT_REMOVEDIR}, false},
    {"unlinkat", SYS_unlinkat, {-1, 0, 0}, true},
};

// The leak checker of AddressSanitizer makes a process at the end, so this is not refused there.
bool is_for_leak_checker(const Conditional& c) {
    return __asan_init != nullptr && c.number == SYS_clone && (c.arguments[0] & SIGCHLD) == SIGCHLD;
}

TEST(Seccomp, ArgumentsDecide) {
    for (const Conditional& c : conditional) {
        if (is_for_leak_checker(c)) continue;
        const ChildResult r = call(c.number, c.arguments[0], c.arguments[1], c.arguments[2]);
        EXPECT_EQ(r.signal, c.allowed ? 0 : SIGSYS) << c.name;
        EXPECT_EQ(r.status, c.allowed ? 0 : -1) << c.name;
    }
}

ChildResult with_code_pages(CodePages pages, int rights) {
    return in_child([=](int) {
        no_core_file();
        if (!forbid_new_privileges() || !forbid_system_calls(Mode::enforce, pages)) return 1;
        return syscall(SYS_mprotect, 0L, 0L, rights) == 0 ? 0 : 2;
    });
}

TEST(Seccomp, TheEngineDecidesAboutItsCode) {
    constexpr int both = PROT_READ | PROT_WRITE | PROT_EXEC, sealed = PROT_READ | PROT_EXEC;
    EXPECT_EQ(with_code_pages(CodePages::writable, both).status, 0);
    EXPECT_EQ(with_code_pages(CodePages::sealed, both).signal, SIGSYS);
    EXPECT_EQ(with_code_pages(CodePages::sealed, sealed).status, 0);
    EXPECT_EQ(with_code_pages(CodePages::none, sealed).signal, SIGSYS);
    EXPECT_EQ(with_code_pages(CodePages::none, PROT_READ).status, 0);
}

TEST(Seccomp, AbortIsWhatItIs) {
    const ChildResult r = in_child([](int) {
        no_core_file();
        if (!fenced()) return 1;
        std::abort();
    });
    EXPECT_EQ(r.signal, SIGABRT);
    const ChildResult another = in_child([](int) {
        no_core_file();
        if (!fenced()) return 1;
        syscall(SYS_tgkill, getppid(), getppid(), SIGABRT);
        return 0;
    });
    EXPECT_EQ(another.signal, SIGSYS);
    const ChildResult other_signal = in_child([](int) {
        no_core_file();
        if (!fenced()) return 1;
        syscall(SYS_tgkill, getpid(), getpid(), SIGTERM);
        return 0;
    });
    EXPECT_EQ(other_signal.signal, SIGSYS);
}

// Nothing but what is listed: a sample of what a program that was taken over would look for.
TEST(Seccomp, WhatIsNotListedIsForbidden) {
    for (const Call& c :
         {Call{"setuid", SYS_setuid}, Call{"capset", SYS_capset}, Call{"mount", SYS_mount},
          Call{"unshare", SYS_unshare}, Call{"setns", SYS_setns}, Call{"bpf", SYS_bpf},
          Call{"perf_event_open", SYS_perf_event_open}, Call{"init_module", SYS_init_module},
          Call{"keyctl", SYS_keyctl}, Call{"memfd_create", SYS_memfd_create},
          Call{"truncate", SYS_truncate}, Call{"chroot", SYS_chroot}, Call{"reboot", SYS_reboot},
          Call{"listen", SYS_listen}, Call{"seccomp", SYS_seccomp},
          Call{"a number of the future", 1000}})
        EXPECT_EQ(call(c.number).signal, SIGSYS) << c.name;
}

TEST(Seccomp, TheCallIsNamed) {
    const ChildResult r = in_child([](int out) {
        no_core_file();
        dup2(out, STDERR_FILENO);
        if (!fenced()) return 1;
        syscall(SYS_mkdirat, -1, 0L, 0L);
        return 0;
    });
    EXPECT_EQ(r.signal, SIGSYS);
    EXPECT_EQ(r.output,
              "sandbox: forbidden system call mkdirat (" + std::to_string(SYS_mkdirat) + ")\n");
}

TEST(Seccomp, TheDebugFileNamesItToo) {
    char file[] = "/tmp/nfqws2-seccomp-XXXXXX";
    close(mkstemp(file));
    const ChildResult r = in_child([&](int) {
        no_core_file();
        close(STDERR_FILENO);
        if (!log::set_target_file(file) || !fenced()) return 1;
        syscall(SYS_mkdirat, -1, 0L, 0L);
        return 0;
    });
    EXPECT_EQ(r.signal, SIGSYS);
    std::stringstream text;
    text << std::ifstream(file).rdbuf();
    EXPECT_NE(text.str().find("sandbox: forbidden system call mkdirat ("), std::string::npos);
    std::filesystem::remove(file);
}

// A report goes on: every call fails, each is named once.
TEST(Seccomp, ReportLetsTheProcessLive) {
    const ChildResult r = in_child([](int out) {
        dup2(out, STDERR_FILENO);
        if (!fenced(Mode::report)) return 1;
        for (int i = 0; i < 3; i++) {
            errno = 0;
            if (syscall(SYS_mkdirat, -1, 0L, 0L) != -1 || errno != EPERM) return 2;
        }
        errno = 0;
        return kill(getpid(), SIGKILL) == -1 && errno == EPERM ? 0 : 3;
    });
    EXPECT_EQ(r.status, 0);
    EXPECT_EQ(r.output, "sandbox: forbidden system call mkdirat (" + std::to_string(SYS_mkdirat) +
                            "), answered by EPERM\nsandbox: forbidden system call kill (" +
                            std::to_string(SYS_kill) + "), answered by EPERM\n");
}

TEST(Seccomp, OffInstallsNothing) {
    const ChildResult r = in_child([](int) {
        if (!fenced(Mode::off)) return 1;
        return kill(getpid(), 0) == 0 && prctl(PR_GET_SECCOMP) == 0 ? 0 : 2;
    });
    EXPECT_EQ(r.status, 0);
}

// SIGSYS from outside is not a reason to survive.
TEST(Seccomp, TheSignalFromOutsideEndsTheProcess) {
    const ChildResult r = in_child([](int) {
        no_core_file();
        int ready[2];
        if (pipe(ready) != 0) return 1;
        const pid_t child = fork();
        if (child == 0) {
            // Before the filter is there the handler ends the process by an exit code.
            if (!fenced() || write(ready[1], "", 1) != 1) _exit(1);
            for (;;)
                pause();
        }
        close(ready[1]);
        char byte = 0;
        int status = 0;
        if (read(ready[0], &byte, 1) != 1) return 1;
        kill(child, SIGSYS);
        waitpid(child, &status, 0);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? 0 : 2;
    });
    EXPECT_EQ(r.status, 0);
}

// What scripts and the program itself go on using.
TEST(Seccomp, OrdinaryWorkGoesOn) {
    char directory[] = "/tmp/nfqws2-seccomp-XXXXXX";
    ASSERT_NE(mkdtemp(directory), nullptr);
    const std::string file = std::string(directory) + "/a", other = std::string(directory) + "/b";
    const ChildResult r = in_child([&](int) {
        if (!fenced()) return 1;
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
        if (!fenced()) return 2;
        if (write(ready[1], "x", 1) != 1) return 3;
        other.join();
        return 0;
    });
    EXPECT_EQ(r.signal, SIGSYS);
}

} // namespace
} // namespace nfqws2::sandbox
