// Libraries that are loaded by those who need them, and cost all others neither memory nor time at
// the start. Not for a program that is linked statically.
#pragma once

#include <initializer_list>

namespace nfqws2 {

class SharedLibrary {
  public:
    // The first of these that is there. It stays loaded: what was taken from it is used again.
    explicit SharedLibrary(std::initializer_list<const char*> names);

    // False: the library, or this function of it, is not there.
    template <class Function> bool take(Function*& function, const char* name) const {
        function = reinterpret_cast<Function*>(find(name));
        return function != nullptr;
    }

  private:
    void* find(const char* function) const;

    void* handle_ = nullptr;
};

} // namespace nfqws2
