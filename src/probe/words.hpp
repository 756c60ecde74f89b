// Words as a shell writes and reads them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::probe {

// Words separated by blanks, parts of them in single quotes, a backslash outside of them before a
// character that is meant: as blockcheck2 writes strategies. nullopt: a quote has no end.
std::optional<std::vector<std::string>> read_words(std::string_view line);

// Any text without NUL as one word.
std::string quote_word(std::string_view text);

} // namespace nfqws2::probe
