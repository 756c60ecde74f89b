// The system calls no script ever needs: running programs, changing rights and links, listing
// directories, looking into or signalling other processes.
#pragma once

namespace nfqws2::sandbox {

// Sets no_new_privs and installs the filter for all threads; a forbidden call ends the process by
// SIGSYS. False if either failed (logged): the program goes on, kernels without seccomp exist.
bool forbid_system_calls();

} // namespace nfqws2::sandbox
