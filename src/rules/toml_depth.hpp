// How deep a text would nest, found out before the TOML library sees it: that limits values inside
// of values, but not the parts of a key, and whatever takes such a tree apart recurses into it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace nfqws2::rules {

// Of tables in tables, however they are written. What a key of a header and one below it name adds
// up, so a tree has twice as many at most.
inline constexpr std::size_t most_nested = 64;

struct TextPosition {
    std::uint32_t line = 1, column = 1; // in bytes
};
// Where the text nests deeper than that; nullopt: nowhere. What is no TOML may be answered either
// way from its first mistake on.
std::optional<TextPosition> too_deep(std::string_view text);

} // namespace nfqws2::rules
