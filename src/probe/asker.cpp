#include "asker.hpp"

namespace nfqws2::probe {

#ifndef NFQWS2_HAVE_CURL
std::unique_ptr<Asker> ask_by_libcurl(const Options&) {
    return nullptr;
}
#endif

std::unique_ptr<Asker> make_asker(const Options& options) {
    return options.curl.empty() ? ask_by_libcurl(options) : ask_by_program(options);
}

} // namespace nfqws2::probe
