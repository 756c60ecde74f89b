// Theory of operation: the filter forbids by default and allows what is listed in system_calls.cpp.
// What is forbidden is trapped (violation.cpp). A foreign architecture, and on x86-64 the x32
// numbers, end the process without more ado. libseccomp sorts the rules into a tree, so that the
// calls of the packet path meet a few comparisons; newer kernels do not even run it for them.
#include "nfqws2/sandbox/seccomp.hpp"

#include "nfqws2/base/log.hpp"
#include "system_calls.hpp"
#include "violation.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <memory>
#include <seccomp.h>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace nfqws2::sandbox {

namespace {

struct FilterRelease {
    void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, FilterRelease>;

std::uint32_t kill_action() {
    constexpr unsigned level_with_kill_process = 3;
    return seccomp_api_get() >= level_with_kill_process ? SCMP_ACT_KILL_PROCESS
                                                        : SCMP_ACT_KILL_THREAD;
}

// What befalls a call that is not allowed.
std::uint32_t forbidding_action(Mode mode) {
    return mode == Mode::report && !can_answer_calls() ? SCMP_ACT_LOG : SCMP_ACT_TRAP;
}

// Some 32 bit architectures have a single call for all of sockets, with the arguments in memory.
bool is_out_of_sight(std::string_view name) {
    return name == "socket" && seccomp_syscall_resolve_name("socketcall") >= 0;
}

// What is compared with a number of this process or of its engine.
struct RuleOfProcess {
    const char* name;
    std::vector<scmp_arg_cmp> comparisons;
};

std::vector<RuleOfProcess> rules_of_process(CodePages code) {
    const auto pid = static_cast<scmp_datum_t>(getpid());
    std::vector<RuleOfProcess> rules;
    // abort(): the process ends by its own signal, and a core tells why.
    rules.push_back({"tgkill", {{0, SCMP_CMP_EQ, pid, 0}, {2, SCMP_CMP_EQ, SIGABRT, 0}}});
#ifndef __GLIBC__
    rules.push_back({"tkill", {{1, SCMP_CMP_EQ, SIGABRT, 0}}});
#endif
    for (const char* name : memory_calls()) {
        if (code == CodePages::writable)
            rules.push_back({name, {}});
        else
            rules.push_back({name, {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0}}});
    }
    if (code == CodePages::sealed)
        rules.push_back(
            {"mprotect",
             {{2, SCMP_CMP_MASKED_EQ, PROT_READ | PROT_WRITE | PROT_EXEC, PROT_READ | PROT_EXEC}}});
    return rules;
}

// 0 or a negative errno, as libseccomp has it. A name that is not known is no error.
int add_rule(scmp_filter_ctx filter, std::uint32_t action, const char* name,
             std::span<const scmp_arg_cmp> comparisons = {}) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return 0;
    return seccomp_rule_add_array(filter, action, number, static_cast<unsigned>(comparisons.size()),
                                  comparisons.data());
}

int add_rules(scmp_filter_ctx filter, CodePages code) {
    for (const RuleOfProcess& rule : rules_of_process(code))
        if (const int error = add_rule(filter, SCMP_ACT_ALLOW, rule.name, rule.comparisons))
            return error;
    for (const CallGroup& group : allowed_calls())
        for (const char* name : group.names)
            if (const int error = add_rule(filter, SCMP_ACT_ALLOW, name)) return error;
    for (const ConditionalCall& call : conditional_calls()) {
        const auto comparisons =
            is_out_of_sight(call.name) ? std::span<const scmp_arg_cmp>() : call.comparisons;
        if (const int error = add_rule(filter, SCMP_ACT_ALLOW, call.name, comparisons))
            return error;
    }
    for (const char* name : absent_calls())
        if (const int error = add_rule(filter, SCMP_ACT_ERRNO(ENOSYS), name)) return error;
    return 0;
}

int install_filter(Mode mode, CodePages code) {
    const Filter filter(seccomp_init(forbidding_action(mode)));
    if (!filter) return -ENOMEM;
    int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, kill_action());
    if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0);
    if (error == 0) error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
    if (error == 0) error = add_rules(filter.get(), code);
    if (error != 0) return error;
    constexpr std::uint32_t as_tree = 2;
    seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, as_tree);
    return seccomp_load(filter.get());
}

// The library takes a lot of small blocks for a moment.
void give_memory_back() {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

} // namespace

bool forbid_system_calls(Mode mode, CodePages code) {
    if (mode == Mode::off) return true;
    if (!handle_violations(mode)) log::os_error("sigaction(SIGSYS)", errno);
    const int error = install_filter(mode, code);
    learn_call_names();
    give_memory_back();
    if (error == 0) return true;
    log::os_error("seccomp", -error);
    log::error("sandbox: system calls are not limited, this kernel may lack seccomp filters");
    return false;
}

} // namespace nfqws2::sandbox
