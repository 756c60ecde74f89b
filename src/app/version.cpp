#include "nfqws2/app/version.hpp"

// A release build defines both, e.g. -DNFQWS2_RELEASE_VERSION="v1.0" -DNFQWS2_RELEASE_HASH="ab12".
#if defined(NFQWS2_RELEASE_VERSION) && defined(NFQWS2_RELEASE_HASH)
#define NFQWS2_BUILD_TEXT "github version " NFQWS2_RELEASE_VERSION " (" NFQWS2_RELEASE_HASH ")"
#else
#define NFQWS2_BUILD_TEXT "self-built version " __DATE__ " " __TIME__
#endif

namespace nfqws2::app {

const std::string& version_text() {
    static const std::string text =
        std::string(NFQWS2_BUILD_TEXT).substr(0, 110) + " lua_compat_ver 6";
    return text;
}

} // namespace nfqws2::app
