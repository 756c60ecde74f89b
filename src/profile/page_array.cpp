#include "nfqws2/profile/page_array.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace nfqws2::profile {

Pages::~Pages() {
    if (data_ != nullptr) munmap(data_, bytes_);
}

void Pages::resize(std::size_t bytes) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    bytes = (bytes + page - 1) / page * page;
    if (bytes == bytes_) return;
    if (bytes == 0) {
        *this = Pages();
        return;
    }
    void* data = data_ == nullptr ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                                  : mremap(data_, bytes_, bytes, MREMAP_MAYMOVE);
    if (data == MAP_FAILED) throw std::bad_alloc();
    data_ = data;
    bytes_ = bytes;
}

} // namespace nfqws2::profile
