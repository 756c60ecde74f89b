// Which system calls the program needs, by subject and with the reason.
#pragma once

#include <seccomp.h>

#include <span>

namespace nfqws2::sandbox {

// Calls that are allowed whatever their arguments. Names that an architecture or the installed
// libseccomp does not know are skipped.
struct CallGroup {
    const char* reason;
    std::span<const char* const> names;
};
std::span<const CallGroup> allowed_calls();

// Calls that are allowed for some arguments only. One rule is met when all its comparisons are; a
// call is allowed when one of its rules is met.
struct ConditionalCall {
    const char* name;
    std::span<const scmp_arg_cmp> comparisons;
};
std::span<const ConditionalCall> conditional_calls();

// Calls that give memory its rights, in their third argument.
std::span<const char* const> memory_calls();

// "Not there" is the answer that makes the C library use an older call which can be checked.
std::span<const char* const> absent_calls();

} // namespace nfqws2::sandbox
