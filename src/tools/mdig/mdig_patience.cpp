#include "mdig/mdig_ares.hpp"
#include "nfqws2/base/text.hpp"

#include <algorithm>
#include <optional>

namespace nfqws2::tools {

namespace {

constexpr int longest_s = 30; // the limits of the C library
constexpr int most_attempts = 5;

// The number behind a name, if the word is of that name.
std::optional<int> value_of(std::string_view word, std::string_view name, int most) {
    if (!word.starts_with(name)) return std::nullopt;
    const auto value = parse_uint(word.substr(name.size()));
    if (!value) return std::nullopt;
    return static_cast<int>(std::clamp<std::uint64_t>(*value, 1, static_cast<unsigned>(most)));
}

std::string_view next_word(std::string_view& line) {
    const std::size_t begin = std::min(line.find_first_not_of(" \t\r"), line.size());
    line.remove_prefix(begin);
    const std::string_view word = line.substr(0, line.find_first_of(" \t\r"));
    line.remove_prefix(word.size());
    return word;
}

} // namespace

Patience patience_of(std::string_view resolv_conf) {
    Patience patience;
    while (!resolv_conf.empty()) {
        std::string_view line = resolv_conf.substr(0, resolv_conf.find('\n'));
        resolv_conf.remove_prefix(std::min(line.size() + 1, resolv_conf.size()));
        if (next_word(line) != "options") continue;
        for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
            if (const auto seconds = value_of(word, "timeout:", longest_s))
                patience.timeout_s = *seconds;
            if (const auto attempts = value_of(word, "attempts:", most_attempts))
                patience.attempts = *attempts;
        }
    }
    return patience;
}

} // namespace nfqws2::tools
