// Lets the address sanitizer see the use of released pool memory; nothing in other builds.
#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NFQWS2_POOL_POISONING 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define NFQWS2_POOL_POISONING 1
#endif
#ifdef NFQWS2_POOL_POISONING
#include <sanitizer/asan_interface.h>
#endif

namespace nfqws2 {

inline void poison([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t size) {
#ifdef NFQWS2_POOL_POISONING
    ASAN_POISON_MEMORY_REGION(memory, size);
#endif
}

inline void unpoison([[maybe_unused]] void* memory, [[maybe_unused]] std::size_t size) {
#ifdef NFQWS2_POOL_POISONING
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
#endif
}

} // namespace nfqws2
