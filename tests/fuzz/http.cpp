// HTTP headers, host names, redirects.
#include "nfqws2/protocol/http.hpp"
#include "nfqws2/protocol/hostname.hpp"

#include <cstdlib>

using namespace nfqws2;
using namespace nfqws2::protocol;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    const Bytes data(raw, size);
    is_http_request(data);
    is_foreign_redirect(data, "www.example.com");
    is_foreign_redirect(data, as_text(clipped(data, size / 2)));
    const int status = http_reply_status(data);
    if (status < 0 || status > 999) std::abort();
    const auto host = http_host(data);
    if (host && (host->empty() || host->size() > 255)) std::abort();
    normalise_host(as_text(data));
    const auto level = second_level(as_text(data));
    if (level && (level->sld > level->endsld || level->endsld >= size)) std::abort();
    return 0;
}
