#include "nfqws2/base/shared_library.hpp"

#include <dlfcn.h>

namespace nfqws2 {

SharedLibrary::SharedLibrary(std::initializer_list<const char*> names) {
    for (const char* name : names)
        if (handle_ == nullptr) handle_ = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
}

void* SharedLibrary::find(const char* function) const {
    return handle_ != nullptr ? dlsym(handle_, function) : nullptr;
}

} // namespace nfqws2
