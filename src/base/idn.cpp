#include "nfqws2/base/idn.hpp"

#include "nfqws2/base/text.hpp"

#if NFQWS2_HAVE_IDN
#include <dlfcn.h>
#include <idn2.h>
#endif

namespace nfqws2 {

namespace {

#if NFQWS2_HAVE_IDN

// Stays loaded: a list with such names is read again.
struct Library {
    decltype(&idn2_to_ascii_8z) to_ascii = nullptr;
    decltype(&idn2_free) free = nullptr;
    decltype(&idn2_strerror) error_text = nullptr;

    Library() {
        void* handle = dlopen("libidn2.so.0", RTLD_LAZY | RTLD_LOCAL);
        if (handle == nullptr) return;
        free = reinterpret_cast<decltype(free)>(dlsym(handle, "idn2_free"));
        error_text = reinterpret_cast<decltype(error_text)>(dlsym(handle, "idn2_strerror"));
        if (free == nullptr || error_text == nullptr) return;
        to_ascii = reinterpret_cast<decltype(to_ascii)>(dlsym(handle, "idn2_to_ascii_8z"));
    }
};

const Library& library() {
    static const Library loaded;
    return loaded;
}

#endif

constexpr const char* library_is_missing = "it is not ASCII, write its xn-- form (the library "
                                           "libidn2, which would convert it, is not there)";

} // namespace

bool can_convert_names() {
#if NFQWS2_HAVE_IDN
    return library().to_ascii != nullptr;
#else
    return false;
#endif
}

std::optional<std::string> ascii_name(const std::string& utf8, std::string* why) {
    if (!can_convert_names()) {
        *why = library_is_missing;
        return std::nullopt;
    }
#if NFQWS2_HAVE_IDN
    char* converted = nullptr;
    const int result = library().to_ascii(utf8.c_str(), &converted, IDN2_NONTRANSITIONAL);
    if (result == IDN2_OK) {
        std::string name = ascii_lower(std::string_view(converted));
        library().free(converted);
        return name;
    }
    *why = result == IDN2_ENCODING_ERROR
               ? "it is neither ASCII nor UTF-8"
               : std::string("it has no xn-- form (") + library().error_text(result) + ")";
#else
    (void)utf8;
#endif
    return std::nullopt;
}

} // namespace nfqws2
