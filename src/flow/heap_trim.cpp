#include "heap_trim.hpp"

#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace nfqws2::flow {

void HeapTrim::trim() {
    round_++;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

} // namespace nfqws2::flow
