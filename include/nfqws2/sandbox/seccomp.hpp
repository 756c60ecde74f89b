// The system calls that the program and its scripts need (src/sandbox/system_calls.cpp); every
// other one is forbidden.
#pragma once

#include "nfqws2/sandbox/mode.hpp"

#include <cstdint>

namespace nfqws2::sandbox {

// What the program may do with the memory it executes.
enum class CodePages : std::uint8_t {
    none,    // no more of it is made
    sealed,  // written first, then made executable and read only
    writable // both at a time
};

// Installs the filter for all threads (not with `off`); no_new_privs must be set. With `enforce` a
// forbidden call ends the process by SIGSYS, with `report` it fails with EPERM; both are named in
// the log. False if something failed (logged): the program goes on, kernels without seccomp exist.
bool forbid_system_calls(Mode mode, CodePages code = CodePages::sealed);

} // namespace nfqws2::sandbox
