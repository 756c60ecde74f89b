#include "mdig/mdig_line.hpp"

#include "command.hpp"
#include "mdig/dns_message.hpp"
#include "nfqws2/base/ip_address.hpp"

#include <algorithm>

namespace nfqws2::tools {

namespace {

constexpr std::size_t max_printed = 64;

bool is_name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
}

// Names that cannot exist are sorted out here; the resolver need not be asked.
bool is_domain(std::string_view text) {
    return std::all_of(text.begin(), text.end(), is_name_character) && has_dns_shape(text);
}

// Cheap refusal of nearly every name: an address holds a colon or ends with a digit.
bool may_be_address(std::string_view text) {
    if (text.empty()) return false;
    const char last = text.back();
    return (last >= '0' && last <= '9') || text.find(':') != std::string_view::npos;
}

MdigLine classify_literal(std::string_view line, std::size_t slash, bool is_v4, Families families) {
    const std::string_view address = line.substr(0, slash);
    if (is_v4 ? !families.v4 : !families.v6) return {LineKind::wrong_family, address, {}};
    if (slash == std::string_view::npos) return {LineKind::literal, address, {}};
    const unsigned width = is_v4 ? 32 : 128;
    const auto mask = scan_mask(line.substr(slash + 1));
    if (!mask || *mask > width) return {LineKind::bad_subnet, address, {}};
    if (*mask == width) return {LineKind::literal, address, {}};
    return {LineKind::literal, address, *mask};
}

} // namespace

MdigLine classify_line(std::string_view line, Families families) {
    if (line.empty()) return {LineKind::empty, {}, {}};
    const std::size_t slash = line.find('/');
    const std::string_view left = line.substr(0, slash);
    if (may_be_address(left))
        if (const auto address = IpAddress::parse(left))
            return classify_literal(line, slash, address->version == 4, families);
    return {is_domain(line) ? LineKind::domain : LineKind::invalid, {}, {}};
}

std::string printable(std::string_view text) {
    std::string out(text.substr(0, max_printed));
    for (char& c : out)
        if (c < 0x20 || c > 0x7E) c = '?';
    return out;
}

} // namespace nfqws2::tools
