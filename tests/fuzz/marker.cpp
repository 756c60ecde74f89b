// Marker lists (before the first LF) resolved in the rest of the input.
#include "nfqws2/protocol/marker.hpp"

#include <cstdlib>

using namespace nfqws2;
using namespace nfqws2::protocol;

namespace {

void check_positions(Bytes data, const std::vector<Marker>& markers) {
    for (const Payload type : {Payload::http_req, Payload::tls_client_hello, Payload::unknown}) {
        for (const std::size_t position : resolve_all(data, type, markers)) {
            if (position >= data.size()) std::abort();
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* raw, std::size_t size) {
    static const auto every_anchor =
        *parse_marker_list("0,-1,host,endhost,endhost-1,sld,midsld,endsld,method,extlen,sniext");
    const Bytes data(raw, size);
    check_positions(data, every_anchor);

    const std::string_view text = as_text(data);
    const std::string_view list = text.substr(0, text.find('\n'));
    if (const auto markers = parse_marker_list(list)) {
        if (markers->size() > max_markers) std::abort();
        check_positions(clipped(data, list.size() + 1), *markers);
    }
    return 0;
}
