// Theory of operation: the filter allows by default and names what is forbidden, since scripts may
// use any library. A foreign architecture (and on x86-64 the x32 numbers) is forbidden whole. Names
// that an architecture does not have are skipped; calls younger than the installed libseccomp are
// given by number.
#include "nfqws2/sandbox/seccomp.hpp"

#include "nfqws2/base/log.hpp"

#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

namespace nfqws2::sandbox {

namespace {

#ifdef SYS_fchmodat2
constexpr int number_of_fchmodat2 = SYS_fchmodat2;
#elif defined(__alpha__)
constexpr int number_of_fchmodat2 = 562;
#else
constexpr int number_of_fchmodat2 = 452;
#endif

constexpr const char* forbidden[] = {
    // running other programs
    "execve", "execveat",
    // rights, owners, links, special files, directories
    "chmod", "fchmod", "fchmodat", "chown", "chown32", "fchown", "fchown32", "lchown", "lchown32",
    "fchownat", "symlink", "symlinkat", "link", "linkat", "mknod", "mknodat", "mkdir", "mkdirat",
    "rmdir", "readdir", "getdents", "getdents64",
    // other processes
    "process_vm_readv", "process_vm_writev", "process_madvise", "tkill", "tgkill", "kill", "ptrace",
    "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo",
    // can do most of the above without the calls being seen
    "io_uring_setup", "io_uring_enter", "io_uring_register"};

struct FilterRelease {
    void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, FilterRelease>;

std::uint32_t kill_action() {
    constexpr unsigned level_with_kill_process = 3;
    return seccomp_api_get() >= level_with_kill_process ? SCMP_ACT_KILL_PROCESS
                                                        : SCMP_ACT_KILL_THREAD;
}

// 0 or a negative errno, as libseccomp has it.
int add_rules(scmp_filter_ctx filter, std::uint32_t action) {
    for (const char* name : forbidden) {
        const int number = seccomp_syscall_resolve_name(name);
        if (number == __NR_SCMP_ERROR) continue;
        if (const int error = seccomp_rule_add(filter, action, number, 0)) return error;
    }
    if (const int error = seccomp_rule_add(filter, action, number_of_fchmodat2, 0)) return error;
    // The same as rmdir, which newer architectures do not have.
    const scmp_arg_cmp removes_directory{2, SCMP_CMP_MASKED_EQ, AT_REMOVEDIR, AT_REMOVEDIR};
    return seccomp_rule_add_array(filter, action, SCMP_SYS(unlinkat), 1, &removes_directory);
}

int install_filter() {
    const std::uint32_t action = kill_action();
    const Filter filter(seccomp_init(SCMP_ACT_ALLOW));
    if (!filter) return -ENOMEM;
    int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, action);
    if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0);
    if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
    if (error == 0) error = add_rules(filter.get(), action);
    return error == 0 ? seccomp_load(filter.get()) : error;
}

} // namespace

bool forbid_system_calls() {
    bool ok = true;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0) {
        log::os_error("PR_SET_NO_NEW_PRIVS(prctl)", errno);
        ok = false;
    }
    if (const int error = install_filter()) {
        log::os_error("seccomp", -error);
        if (error == -EINVAL)
            log::error("seccomp: this can be safely ignored if the kernel has no seccomp support");
        ok = false;
    }
    return ok;
}

} // namespace nfqws2::sandbox
