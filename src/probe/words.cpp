#include "words.hpp"

namespace nfqws2::probe {

std::optional<std::vector<std::string>> read_words(std::string_view line) {
    std::vector<std::string> words;
    bool inside = false; // of a word
    bool quoted = false;
    for (std::size_t at = 0; at < line.size(); ++at) {
        char c = line[at];
        const bool blank = c == ' ' || c == '\t' || c == '\n';
        if (blank && !quoted) {
            inside = false;
            continue;
        }
        if (!inside) {
            words.emplace_back();
            inside = true;
        }
        if (c == '\'') {
            quoted = !quoted;
            continue;
        }
        if (c == '\\' && !quoted && at + 1 < line.size()) {
            c = line[++at];
        }
        words.back() += c;
    }
    return quoted ? std::nullopt : std::optional(std::move(words));
}

std::string quote_word(std::string_view text) {
    std::string word = "'";
    for (const char c : text) {
        if (c == '\'') {
            word += "'\\''";
        } else {
            word += c;
        }
    }
    return word + '\'';
}

} // namespace nfqws2::probe
