#pragma once

#include <cstddef>

namespace nfqws2 {

// What this process could have of the machine's memory when it asked first: all of it, or what its
// control groups (of either version) and its limit of address space leave. 0: unknown.
std::size_t machine_memory();

// What so many pages of that size hold. A 32-bit program may run on a machine that has more than it
// can count: then almost the largest number, which itself means that nothing is known.
std::size_t memory_of_pages(long pages, long page);

} // namespace nfqws2
