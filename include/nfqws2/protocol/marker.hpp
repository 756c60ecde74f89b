// Position markers such as `midsld` or `host+1`, see docs/contracts/protocols.md#markers.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/protocol/names.hpp"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace nfqws2::protocol {

enum class Anchor : std::uint8_t {
    abs,
    host,
    endhost,
    sld,
    midsld,
    endsld,
    method,
    extlen,
    sniext
};

struct Marker {
    Anchor anchor = Anchor::abs;
    std::int16_t offset = 0;
};
inline constexpr std::size_t max_markers = 128;

std::optional<Marker> parse_marker(std::string_view text);
// Comma list; "" is the empty list; nullopt on an empty or bad element or more than `max` markers.
std::optional<std::vector<Marker>> parse_marker_list(std::string_view text,
                                                     std::size_t max = max_markers);
// Where a named marker without offset lies in a payload with a host; it may be the end of the data.
std::optional<std::size_t> http_position(Bytes request, Anchor anchor);
std::optional<std::size_t> tls_position(Bytes hello, Anchor anchor);
// Zero-based offset in 0..size-1, or nullopt.
std::optional<std::size_t> resolve(Bytes data, Payload type, Marker marker);
// Sorted, unique, unresolved left out.
std::vector<std::size_t> resolve_all(Bytes data, Payload type, const std::vector<Marker>& markers);

} // namespace nfqws2::protocol
