#include "nfqws2/protocol/marker.hpp"

#include "nfqws2/protocol/hostname.hpp"
#include "nfqws2/protocol/table.hpp"
#include "nfqws2/protocol/tls.hpp"
#include "text_scan.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

namespace nfqws2::protocol {

namespace {

constexpr std::size_t max_word = 31;     // of an element with another one behind it
constexpr std::size_t tls_handshake = 5; // offset of the handshake message in its record
constexpr std::size_t sni_name = 5;      // offset of the name in the extension's data

constexpr std::array<std::string_view, 9> anchor_names = {
    "abs", "host", "endhost", "sld", "midsld", "endsld", "method", "extlen", "sniext",
};

// Optional sign, optional blanks, digits; what follows is ignored and no digits mean zero, as
// existing configurations have it.
std::optional<std::int16_t> parse_offset(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    text.remove_prefix(std::min(text.find_first_not_of(" \t\n\v\f\r"), text.size()));
    std::int32_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') break;
        value = value * 10 + (c - '0');
        if (value > -std::int32_t{std::numeric_limits<std::int16_t>::min()}) return std::nullopt;
    }
    if (negative) value = -value;
    if (value > std::numeric_limits<std::int16_t>::max()) return std::nullopt;
    return static_cast<std::int16_t>(value);
}

// A stretch of the payload, as offsets.
struct Stretch {
    std::size_t begin = 0, end = 0;
};

std::optional<std::size_t> http_method_position(std::string_view text) {
    if (text.size() < 12) return std::nullopt;
    std::size_t begin = 0;
    while (begin < 2 && (text[begin] == '\r' || text[begin] == '\n'))
        ++begin;
    std::size_t end = begin;
    while (end < begin + 9 && text[end] >= 'A' && text[end] <= 'Z')
        ++end;
    if (end - begin < 3 || text[end] != ' ') return std::nullopt;
    return begin;
}

// Only one blank is skipped and the port belongs to the host, unlike in host name extraction:
// positions in existing strategies depend on it.
std::optional<Stretch> http_host_stretch(std::string_view text) {
    const std::size_t header = find_header(text, "Host");
    if (header == std::string_view::npos || header + 7 >= text.size()) return std::nullopt;
    std::size_t begin = header + 5;
    if (text[begin] == ' ' || text[begin] == '\t') ++begin;
    return Stretch{begin, std::min(text.find_first_of("\r\n", begin), text.size())};
}

std::optional<std::size_t> host_position(std::string_view text, const Stretch& host,
                                         Anchor anchor) {
    if (anchor == Anchor::host) return host.begin;
    if (anchor == Anchor::endhost) return host.end;
    const auto level = second_level(text.substr(host.begin, host.end - host.begin));
    if (!level) return std::nullopt;
    switch (anchor) {
    case Anchor::sld:
        return host.begin + level->sld;
    case Anchor::midsld:
        return host.begin + level->midsld;
    default:
        return host.begin + level->endsld;
    }
}

} // namespace

std::optional<std::size_t> http_position(Bytes data, Anchor anchor) {
    const std::string_view text = as_text(data);
    switch (anchor) {
    case Anchor::method:
        return http_method_position(text);
    case Anchor::extlen:
    case Anchor::sniext:
        return std::nullopt;
    default:
        break;
    }
    const auto host = http_host_stretch(text);
    return host ? host_position(text, *host, anchor) : std::nullopt;
}

// Positions are those on the wire: headers of further records count.
std::optional<std::size_t> tls_position(Bytes data, Anchor anchor) {
    if (anchor == Anchor::method) return std::nullopt;
    const TlsHandshake handshake(data);
    if (anchor == Anchor::extlen) {
        // Of a message in one record even if it reaches beyond it, as strategies have it.
        const auto offset = extensions_offset(handshake.is_joined() ? handshake.message()
                                                                    : clipped(data, tls_handshake));
        return offset ? std::optional(handshake.on_wire(*offset)) : std::nullopt;
    }
    if (!is_tls_client_hello(data) && !is_tls_server_hello(data)) return std::nullopt;
    const Bytes message = handshake.message();
    const auto sni = find_extension_in_handshake(message, 0, Strictness::partial);
    if (!sni) return std::nullopt;
    if (anchor == Anchor::sniext) return handshake.on_wire(sni->offset);
    const auto name = server_name_in_extension(message.subspan(sni->offset, sni->size));
    if (!name) return std::nullopt;
    const std::size_t begin = sni->offset + sni_name;
    const Stretch host{begin, begin + name->size};
    const auto position = host_position(as_text(message), host, anchor);
    if (!position) return std::nullopt;
    // Behind a byte means directly behind it, not behind the record header that may follow.
    return *position > host.begin ? handshake.on_wire(*position - 1) + 1
                                  : handshake.on_wire(*position);
}

std::optional<Marker> parse_marker(std::string_view text) {
    if (text.empty()) return std::nullopt;
    const char first = text.front();
    if (first == '+' || first == '-' || (first >= '0' && first <= '9')) {
        const auto offset = parse_offset(text);
        if (!offset) return std::nullopt;
        return Marker{Anchor::abs, *offset};
    }
    const std::size_t sign = std::min(text.find_first_of("+-"), text.size());
    const auto* const found = std::ranges::find(anchor_names, text.substr(0, sign));
    if (found == anchor_names.end()) return std::nullopt;
    const auto offset = parse_offset(text.substr(sign));
    if (!offset) return std::nullopt;
    return Marker{static_cast<Anchor>(found - anchor_names.begin()), *offset};
}

std::optional<std::vector<Marker>> parse_marker_list(std::string_view text, std::size_t max) {
    std::vector<Marker> list;
    if (text.empty()) return list;
    for (;;) {
        const std::size_t comma = text.find(',');
        if (comma != std::string_view::npos && comma > max_word) return std::nullopt;
        const auto marker = parse_marker(text.substr(0, comma));
        if (!marker || list.size() >= max) return std::nullopt;
        list.push_back(*marker);
        if (comma == std::string_view::npos) return list;
        text.remove_prefix(comma + 1);
    }
}

std::optional<std::size_t> resolve(Bytes data, Payload type, Marker marker) {
    std::int64_t position = marker.offset;
    if (marker.anchor != Anchor::abs) {
        const auto position_of = row(type).position;
        const auto base = position_of != nullptr ? position_of(data, marker.anchor) : std::nullopt;
        if (!base) return std::nullopt;
        position += static_cast<std::int64_t>(*base);
    } else if (position < 0) {
        position += static_cast<std::int64_t>(data.size());
    }
    if (position < 0 || position >= static_cast<std::int64_t>(data.size())) return std::nullopt;
    return static_cast<std::size_t>(position);
}

std::vector<std::size_t> resolve_all(Bytes data, Payload type, const std::vector<Marker>& markers) {
    std::vector<std::size_t> positions;
    positions.reserve(markers.size());
    for (const Marker& marker : markers) {
        if (const auto position = resolve(data, type, marker)) positions.push_back(*position);
    }
    std::ranges::sort(positions);
    positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
    return positions;
}

} // namespace nfqws2::protocol
