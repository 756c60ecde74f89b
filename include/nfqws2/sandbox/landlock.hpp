// File rules kept by the kernel, for the program and everything that could take it over.
#pragma once

#include "nfqws2/sandbox/file_rules.hpp"

#include <cstdint>

namespace nfqws2::sandbox {

// Version of Landlock in this kernel, 0 if there is none.
int landlock_version();

// What the kernel is asked to watch over, by version.
std::uint64_t watched_file_rights(int version);
// What a rule gives back of it.
std::uint64_t granted_file_rights(FileAccess access, bool directory, int version);

// Restricts the calling thread and the threads it makes from now on; no_new_privs must be set.
// False, logged, also where there is no Landlock.
bool restrict_files(const FileRules& rules);

} // namespace nfqws2::sandbox
