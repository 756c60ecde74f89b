// Names of several architectures stand side by side: mmap2, fcntl64 and *_time64 belong to 32 bits,
// openat without open to the younger architectures. Calls of musl and of glibc are both there.
#include "system_calls.hpp"

#include <array>
#include <cstdint>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <csignal>

namespace nfqws2::sandbox {

namespace {

#ifdef __s390__
// mmap has its arguments in memory here, where a filter does not see them.
constexpr const char* memory[] = {"brk", "mmap", "munmap", "mremap", "madvise"};
constexpr const char* rights_of_memory[] = {"mprotect"};
#else
constexpr const char* memory[] = {"brk", "munmap", "mremap", "madvise"};
#ifdef __i386__ // the same, but nothing uses it
constexpr const char* rights_of_memory[] = {"mmap2", "mprotect"};
#else
constexpr const char* rights_of_memory[] = {"mmap", "mmap2", "mprotect"};
#endif
#endif

// Machine code just written is made visible to the processor (LuaJIT).
constexpr const char* machine_code[] = {"cacheflush", "riscv_flush_icache"};

constexpr const char* threads[] = {
    "futex",           "futex_time64",    "futex_waitv",       "set_robust_list", "rseq",
    "set_tid_address", "sched_yield",     "sched_getaffinity", "gettid",          "exit",
    "exit_group",      "set_thread_area", "set_tls",           "get_thread_area", "membarrier",
    "getcpu",          "restart_syscall"};

constexpr const char* background[] = {"setsid",  "chdir", "getcwd", "getpid",
                                      "getppid", "dup",   "dup2",   "dup3"};

constexpr const char* signals[] = {"rt_sigprocmask",   "sigprocmask",     "rt_sigreturn",
                                   "sigreturn",        "rt_sigpending",   "rt_sigsuspend",
                                   "sigsuspend",       "rt_sigtimedwait", "rt_sigtimedwait_time64",
                                   "sigaltstack",      "pause",           "alarm",
                                   "setitimer",        "timer_create",    "timer_settime",
                                   "timer_settime64",  "timer_gettime",   "timer_gettime64",
                                   "timer_getoverrun", "timer_delete"};

constexpr const char* waiting[] = {"poll",
                                   "ppoll",
                                   "ppoll_time64",
                                   "select",
                                   "_newselect",
                                   "pselect6",
                                   "pselect6_time64",
                                   "nanosleep",
                                   "clock_nanosleep",
                                   "clock_nanosleep_time64",
                                   "eventfd2",
                                   "pipe",
                                   "pipe2"};

constexpr const char* clocks[] = {"clock_gettime", "clock_gettime64",
                                  "clock_getres",  "clock_getres_time64",
                                  "gettimeofday",  "time",
                                  "times"};

constexpr const char* files[] = {
    "open",      "openat",     "openat2",  "creat",      "close",        "close_range",
    "read",      "readv",      "pread64",  "preadv",     "write",        "writev",
    "pwrite64",  "pwritev",    "lseek",    "_llseek",    "fstat",        "fstat64",
    "stat",      "stat64",     "lstat",    "lstat64",    "newfstatat",   "fstatat64",
    "statx",     "statfs",     "statfs64", "fstatfs",    "fstatfs64",    "access",
    "faccessat", "faccessat2", "readlink", "readlinkat", "ftruncate",    "ftruncate64",
    "fsync",     "fdatasync",  "flock",    "fadvise64",  "fadvise64_64", "arm_fadvise64_64",
    "unlink",    "rename",     "renameat", "renameat2"};

constexpr const char* sockets[] = {
    "bind",    "connect",  "getsockname",     "getpeername", "getsockopt", "setsockopt",
    "send",    "sendto",   "sendmsg",         "sendmmsg",    "recv",       "recvfrom",
    "recvmsg", "recvmmsg", "recvmmsg_time64", "shutdown",    "accept4"};

constexpr const char* questions[] = {
    "getuid",     "getuid32",    "geteuid",   "geteuid32",   "getgid",    "getgid32",
    "getegid",    "getegid32",   "getgroups", "getgroups32", "getrusage", "getrlimit",
    "ugetrlimit", "getpriority", "uname",     "sysinfo",     "getrandom"};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NFQWS2_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NFQWS2_SANITIZED 1
#endif
#endif

#ifdef NFQWS2_SANITIZED
constexpr const char* sanitizers[] = {"mincore", "msync"};
#endif

constexpr CallGroup groups[] = {
    {"memory of the C library, LuaJIT and the flow table", memory},
    {"machine code of LuaJIT", machine_code},
    {"the list loader and the workers", threads},
    {"--daemon, when it is ready", background},
    {"handlers, the processor time limit of Lua calls", signals},
    {"the loops of the workers, and what wakes them up", waiting},
    {"time stamps, os.time and os.clock", clocks},
    {"lists, logs, captures, and the files of scripts", files},
    {"the queue, raw sockets, clients, syslog, readiness, interfaces, Wi-Fi names", sockets},
    {"facts that the program and scripts ask for", questions},
#ifdef NFQWS2_SANITIZED
    {"the run-time libraries of sanitizers", sanitizers},
#endif
};

constexpr scmp_arg_cmp equal(unsigned argument, std::uint64_t value) {
    return {argument, SCMP_CMP_MASKED_EQ, 0xFFFFFFFF, value & 0xFFFFFFFF};
}

constexpr scmp_arg_cmp has_none_of(unsigned argument, std::uint64_t bits) {
    return {argument, SCMP_CMP_MASKED_EQ, bits, 0};
}

constexpr scmp_arg_cmp null_pointer(unsigned argument) {
    return {argument, SCMP_CMP_EQ, 0, 0};
}

// A thread, but no process: --daemon has made its own before. And no namespaces.
#ifdef __s390__
constexpr unsigned clone_flags = 1;
#else
constexpr unsigned clone_flags = 0;
#endif
constexpr std::uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
#ifdef NFQWS2_SANITIZED // makes a process at the end, to look for leaks
constexpr scmp_arg_cmp only_threads[] = {has_none_of(clone_flags, namespaces)};
#else
constexpr std::uint64_t of_a_thread = CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
constexpr scmp_arg_cmp only_threads[] = {
    {clone_flags, SCMP_CMP_MASKED_EQ, namespaces | of_a_thread, of_a_thread}};
#endif

// The handler of forbidden calls stays.
constexpr scmp_arg_cmp any_but_sigsys[] = {{0, SCMP_CMP_NE, SIGSYS, 0}};

// unlinkat(AT_REMOVEDIR) is rmdir.
constexpr scmp_arg_cmp no_directory[] = {has_none_of(2, AT_REMOVEDIR)};

// Names of threads and of memory regions.
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
constexpr scmp_arg_cmp thread_name[] = {equal(0, PR_SET_NAME)};
constexpr scmp_arg_cmp region_name[] = {equal(0, PR_SET_VMA)};

// Limits are read, not changed, and not those of others.
constexpr scmp_arg_cmp own_limits_read[] = {equal(0, 0), null_pointer(2)};
// The list loader makes itself nice.
constexpr scmp_arg_cmp own_priority[] = {equal(0, PRIO_PROCESS), equal(1, 0)};

// Neither F_SETOWN nor F_SETSIG: they make the kernel send signals to others.
constexpr scmp_arg_cmp f_dupfd[] = {equal(1, F_DUPFD)}, f_getfd[] = {equal(1, F_GETFD)},
                       f_setfd[] = {equal(1, F_SETFD)}, f_getfl[] = {equal(1, F_GETFL)},
                       f_setfl[] = {equal(1, F_SETFL)},
                       f_dupfd_cloexec[] = {equal(1, F_DUPFD_CLOEXEC)};

// Is it a terminal (stdio), and facts of interfaces. Not TIOCSTI, which types into the terminal.
// (TCGETS2 spelt out: its macro needs a structure that clashes with other headers.)
#ifdef __mips__
constexpr unsigned size_of_termios2 = 48;
#else
constexpr unsigned size_of_termios2 = 44;
#endif
constexpr std::uint64_t tcgets2 = _IOC(_IOC_READ, 'T', 0x2A, size_of_termios2);
constexpr scmp_arg_cmp terminal[] = {equal(1, TCGETS)}, terminal2[] = {equal(1, tcgets2)},
                       window[] = {equal(1, TIOCGWINSZ)}, to_read[] = {equal(1, FIONREAD)},
                       if_name[] = {equal(1, SIOCGIFNAME)}, if_index[] = {equal(1, SIOCGIFINDEX)},
                       if_flags[] = {equal(1, SIOCGIFFLAGS)}, if_mtu[] = {equal(1, SIOCGIFMTU)},
                       if_address[] = {equal(1, SIOCGIFADDR)},
                       if_hardware[] = {equal(1, SIOCGIFHWADDR)},
                       if_list[] = {equal(1, SIOCGIFCONF)};

// Sockets by family, type without its flags, and protocol.
constexpr scmp_arg_cmp of_type(std::uint64_t type) {
    constexpr std::uint64_t flags = SOCK_CLOEXEC | SOCK_NONBLOCK;
    return {1, SCMP_CMP_MASKED_EQ, 0xFFFFFFFF & ~flags, type};
}

// syslog and readiness; syslog(3) tries a stream too.
constexpr scmp_arg_cmp local[] = {equal(0, AF_UNIX), of_type(SOCK_DGRAM), equal(2, 0)};
constexpr scmp_arg_cmp local_stream[] = {equal(0, AF_UNIX), of_type(SOCK_STREAM), equal(2, 0)};
// Routes and interfaces are asked through datagram sockets.
constexpr scmp_arg_cmp facts4[] = {equal(0, AF_INET), of_type(SOCK_DGRAM), equal(2, 0)};
constexpr scmp_arg_cmp facts6[] = {equal(0, AF_INET6), of_type(SOCK_DGRAM), equal(2, 0)};
constexpr scmp_arg_cmp raw4[] = {equal(0, AF_INET), of_type(SOCK_RAW), equal(2, IPPROTO_RAW)};
constexpr scmp_arg_cmp raw6[] = {equal(0, AF_INET6), of_type(SOCK_RAW), equal(2, IPPROTO_RAW)};
constexpr scmp_arg_cmp queue[] = {equal(0, AF_NETLINK), equal(2, NETLINK_NETFILTER)};
constexpr scmp_arg_cmp routes[] = {equal(0, AF_NETLINK), equal(2, NETLINK_ROUTE)};
constexpr scmp_arg_cmp wlan[] = {equal(0, AF_NETLINK), equal(2, NETLINK_GENERIC)};

constexpr ConditionalCall conditional[] = {
    {"clone", only_threads},
    {"rt_sigaction", any_but_sigsys},
    {"sigaction", any_but_sigsys},
    {"unlinkat", no_directory},
    {"prctl", thread_name},
    {"prctl", region_name},
    {"prlimit64", own_limits_read},
    {"setpriority", own_priority},
    {"fcntl", f_dupfd},
    {"fcntl", f_getfd},
    {"fcntl", f_setfd},
    {"fcntl", f_getfl},
    {"fcntl", f_setfl},
    {"fcntl", f_dupfd_cloexec},
    {"fcntl64", f_dupfd},
    {"fcntl64", f_getfd},
    {"fcntl64", f_setfd},
    {"fcntl64", f_getfl},
    {"fcntl64", f_setfl},
    {"fcntl64", f_dupfd_cloexec},
    {"ioctl", terminal},
    {"ioctl", terminal2},
    {"ioctl", window},
    {"ioctl", to_read},
    {"ioctl", if_name},
    {"ioctl", if_index},
    {"ioctl", if_flags},
    {"ioctl", if_mtu},
    {"ioctl", if_address},
    {"ioctl", if_hardware},
    {"ioctl", if_list},
    {"socket", local},
    {"socket", local_stream},
    {"socket", facts4},
    {"socket", facts6},
    {"socket", raw4},
    {"socket", raw6},
    {"socket", queue},
    {"socket", routes},
    {"socket", wlan},
};

// clone3 has its flags in memory, where a filter does not see them.
constexpr const char* absent[] = {"clone3"};

} // namespace

std::span<const CallGroup> allowed_calls() {
    return groups;
}

std::span<const ConditionalCall> conditional_calls() {
    return conditional;
}

std::span<const char* const> memory_calls() {
    return rights_of_memory;
}

std::span<const char* const> absent_calls() {
    return absent;
}

} // namespace nfqws2::sandbox
