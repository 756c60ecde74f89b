#include "host_entry.hpp"

#include "nfqws2/base/idn.hpp"
#include "nfqws2/base/ip_address.hpp"
#include "nfqws2/profile/host_table.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace nfqws2::profile {

namespace {

enum Kind : std::uint8_t { of_names = 0, odd = 1, not_ascii = 2 };

constexpr std::array<std::uint8_t, 256> make_kinds() {
    std::array<std::uint8_t, 256> table{};
    for (std::size_t i = 0; i < table.size(); i++) {
        const bool name = (i >= 'a' && i <= 'z') || (i >= 'A' && i <= 'Z') ||
                          (i >= '0' && i <= '9') || i == '-' || i == '_' || i == '.';
        table[i] = i >= 0x80 ? not_ascii : name ? of_names : odd;
    }
    return table;
}

constexpr std::array<std::uint8_t, 256> kinds = make_kinds();

// All kinds of characters that are in it.
unsigned kinds_in(std::string_view name) {
    unsigned seen = 0;
    for (const char c : name)
        seen |= kinds[static_cast<std::uint8_t>(c)];
    return seen;
}

bool has(std::string_view name, char c) {
    return name.find(c) != std::string_view::npos;
}

bool is_comment(std::string_view rest) {
    return rest.empty() || rest[0] == '#' || rest[0] == ';' || rest[0] == '/';
}

// Why no host has this name, if it is in ASCII.
std::string flaw_of(std::string_view name, std::string_view rest) {
    if (name.empty()) return "it is empty";
    if (IpAddress::parse(name))
        return is_comment(rest) ? "" : "only the first word counts, write the name alone";
    if (name.starts_with('*')) return "sub-domains are always included, leave *. out";
    if (name.starts_with('.')) return "sub-domains are always included, leave the first dot out";
    if (name.find("://") != std::string_view::npos) return "write the host name of the URL alone";
    if (has(name, '|')) return "rules of ad blockers are not understood, write the name alone";
    if (has(name, '/')) return "write the host name alone, without a path";
    if (has(name, ',')) return "it has a comma, write one name in a line";
    if (has(name, ';')) return "it has a semicolon, comments begin with ' #'";
    if (has(name, ':')) return "write the host name alone, without a port";
    return (kinds_in(name) & odd) != 0 ? "it has a character that no host name has" : "";
}

} // namespace

bool is_ordinary_entry(std::string_view entry) {
    if (entry.starts_with('^')) entry.remove_prefix(1);
    return !entry.empty() && entry.front() != '.' && entry.back() != '.' && kinds_in(entry) == 0;
}

HostEntry tidy_host_entry(std::string_view entry, std::string_view rest) {
    const bool strict = entry.starts_with('^');
    const std::string_view name = without_root_dot(entry.substr(strict ? 1 : 0));
    HostEntry result{std::string(name), flaw_of(name, rest)};
    if (result.flaw.empty() && (kinds_in(name) & not_ascii) != 0)
        if (const auto converted = ascii_name(result.text, &result.flaw)) result.text = *converted;
    if (strict) result.text.insert(0, "^");
    return result;
}

} // namespace nfqws2::profile
