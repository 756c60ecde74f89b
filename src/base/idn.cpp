#include "nfqws2/base/idn.hpp"

#include "nfqws2/base/shared_library.hpp"
#include "nfqws2/base/text.hpp"

#if NFQWS2_HAVE_IDN
#include <idn2.h>
#endif

namespace nfqws2 {

namespace {

#if NFQWS2_HAVE_IDN

struct Library {
    decltype(&idn2_to_ascii_8z) to_ascii = nullptr;
    decltype(&idn2_free) free = nullptr;
    decltype(&idn2_strerror) error_text = nullptr;
    bool whole = false;

    Library() {
        const SharedLibrary idn2{"libidn2.so.0"};
        whole = idn2.take(free, "idn2_free") && idn2.take(error_text, "idn2_strerror") &&
                idn2.take(to_ascii, "idn2_to_ascii_8z");
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
    return library().whole;
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
