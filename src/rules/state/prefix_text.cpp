// Networks as rules and set files write them.
#include "nfqws2/base/text.hpp"
#include "nfqws2/rules/state/prefix_sets.hpp"
#include "nfqws2/rules/state/source_bits.hpp"

#include <charconv>

namespace nfqws2::rules {
namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::optional<std::uint32_t> parse_value(std::string_view text) {
    std::uint32_t value = 0;
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    if (hex) text.remove_prefix(2);
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

} // namespace

std::optional<Prefix> Prefix::parse(std::string_view text) {
    const std::size_t slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    const unsigned bits = address->version == 4 ? 32 : 128;
    Prefix prefix{*address, bits, false};
    if (slash != std::string_view::npos) {
        const auto length = parse_uint(text.substr(slash + 1), bits);
        if (!length) return std::nullopt;
        prefix.length = static_cast<unsigned>(*length);
    }
    prefix.address = first_bits(*address, prefix.length);
    prefix.host_bits = prefix.address != *address;
    return prefix;
}

bool Prefix::contains(const IpAddress& other) const {
    return other.version == address.version && first_bits(other, length) == address;
}

std::optional<PrefixEntry> PrefixEntry::parse(std::string_view text) {
    text = trimmed(text);
    const std::size_t end = text.find_first_of("=, \t");
    const auto prefix = Prefix::parse(text.substr(0, end));
    if (!prefix) return std::nullopt;
    PrefixEntry entry{*prefix, 1};
    if (end == std::string_view::npos) return entry;
    std::string_view rest = trimmed(text.substr(end));
    if (rest.starts_with('=') || rest.starts_with(',')) rest = trimmed(rest.substr(1));
    const auto value = parse_value(rest);
    if (!value) return std::nullopt;
    entry.value = *value;
    return entry;
}

} // namespace nfqws2::rules
