// Theory of operation: the kernel does not run a forbidden call but sends SIGSYS, with the number
// of the call, to the thread that tried. The handler names it and, with `enforce`, tries another
// one: a forced signal that is blocked, as SIGSYS is in its own handler, ends the process by its
// default action. With `report` it sets the result that the interrupted code finds, EPERM. Names
// are looked up beforehand because the library takes memory for them. The filter lets nobody
// replace the handler; a thread that blocks SIGSYS ends without a message.
#include "violation.hpp"

#include "nfqws2/base/emergency.hpp"

#include <seccomp.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace nfqws2::sandbox {

namespace {

// MIPS counts from 4000, 5000 or 6000, ARM has a few calls of its own far above.
constexpr unsigned first_number = SYS_read / 1000 * 1000;
constexpr unsigned known_numbers = 512;
constexpr int caused_by_filter = 1; // SYS_SECCOMP of si_code

// Names one after the other, and where each begins; the first is the empty one.
std::array<char, 8192> name_pool;
std::size_t pool_used = 1;
std::array<std::uint16_t, known_numbers> name_at;
std::array<std::atomic<bool>, known_numbers> reported;
Mode mode = Mode::enforce;

#if defined(__x86_64__) || defined(__i386__) || defined(__aarch64__) || defined(__arm__) ||        \
    defined(__mips__) || defined(__riscv)
constexpr bool can_answer = true;
#else
constexpr bool can_answer = false;
#endif

void answer_not_permitted([[maybe_unused]] ucontext_t* context) {
#if defined(__x86_64__)
    context->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__i386__)
    context->uc_mcontext.gregs[REG_EAX] = -EPERM;
#elif defined(__aarch64__)
    context->uc_mcontext.regs[0] = static_cast<unsigned long long>(-EPERM);
#elif defined(__arm__)
    context->uc_mcontext.arm_r0 = static_cast<unsigned long>(-EPERM);
#elif defined(__mips__)
    context->uc_mcontext.gregs[2] = EPERM;
    context->uc_mcontext.gregs[7] = 1; // says that the result is an error
#elif defined(__riscv)
    context->uc_mcontext.__gregs[10] = static_cast<unsigned long>(-EPERM);
#endif
}

void name_call(unsigned number) {
    const unsigned index = number - first_number;
    if (index < known_numbers && reported[index].exchange(true)) return;
    const char* name = index < known_numbers ? &name_pool[name_at[index]] : "";
    emergency::Line line;
    line << "sandbox: forbidden system call " << (*name == '\0' ? "without a name" : name) << " ("
         << number << ")" << (mode == Mode::report ? ", answered by EPERM\n" : "\n");
    emergency::say(line.text());
}

void on_violation(int, siginfo_t* info, void* context) {
    const int saved_errno = errno;
    const bool by_filter = info->si_code == caused_by_filter;
    if (by_filter) name_call(static_cast<unsigned>(info->si_syscall));
    if (by_filter && mode == Mode::report) {
        answer_not_permitted(static_cast<ucontext_t*>(context));
        errno = saved_errno;
        return;
    }
    syscall(SYS_tgkill, getpid(), static_cast<long>(syscall(SYS_gettid)), SIGSYS);
    _exit(128 + SIGSYS);
}

} // namespace

bool can_answer_calls() {
    return can_answer;
}

bool handle_violations(Mode wanted) {
    mode = wanted;
    struct sigaction action {};
    action.sa_sigaction = on_violation;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGSYS, &action, nullptr) == 0;
}

void learn_call_names() {
    if (pool_used > 1) return;
    for (unsigned i = 0; i < known_numbers; i++) {
        const std::unique_ptr<char, decltype(&std::free)> name(
            seccomp_syscall_resolve_num_arch(seccomp_arch_native(),
                                             static_cast<int>(first_number + i)),
            &std::free);
        const std::size_t size = name ? std::strlen(name.get()) + 1 : 0;
        if (size == 0 || size > name_pool.size() - pool_used) continue;
        std::memcpy(&name_pool[pool_used], name.get(), size);
        name_at[i] = static_cast<std::uint16_t>(pool_used);
        pool_used += size;
    }
}

} // namespace nfqws2::sandbox
