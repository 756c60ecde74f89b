#pragma once

#include <cstddef>

namespace nfqws2 {

// What this process could have of the machine's memory when it asked first: all of it, or what its
// control groups (of either version) and its limit of address space leave. 0: unknown.
std::size_t machine_memory();

} // namespace nfqws2
