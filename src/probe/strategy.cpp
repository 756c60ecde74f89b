#include "strategy.hpp"

#include "words.hpp"

#include <algorithm>
#include <array>

namespace nfqws2::probe {

namespace {

bool begins(std::string_view word, std::string_view with) {
    return word.substr(0, with.size()) == with;
}

bool begins_profile(std::string_view word) {
    return word == "--new" || begins(word, "--new=");
}

bool is_global(std::string_view word) {
    return begins(word, "--blob=") || begins(word, "--lua-init=");
}

// Only what belongs to its own profile and leaves the choice by ports alone.
bool stands_beside_others(std::string_view word) {
    constexpr std::array<std::string_view, 6> options = {
        "--payload=", "--lua-desync=", "--in-range=", "--out-range=", "--cookie=", "--comment="};
    constexpr std::array<std::string_view, 3> families = {"--ipset", "--hostlist", "--filter-"};
    if (begins(word, "--hostlist-auto") || begins(word, "--filter-lport=")) {
        return false;
    }
    const auto starts = [word](std::string_view with) { return begins(word, with); };
    return std::any_of(options.begin(), options.end(), starts) ||
           (word.find('=') != std::string_view::npos &&
            std::any_of(families.begin(), families.end(), starts));
}

} // namespace

std::vector<std::string> Strategy::profiles(std::string_view ports, std::size_t& count) const {
    const std::string filter = "--filter-lport=" + std::string(ports);
    std::vector<std::string> all{filter};
    count = 1;
    for (const auto& word : words) {
        if (is_global(word)) {
            continue;
        }
        all.push_back(word);
        if (begins_profile(word)) {
            all.push_back(filter);
            ++count;
        }
    }
    return all;
}

std::optional<Strategy> read_strategy(std::string_view line, const std::vector<std::string>& before,
                                      const std::vector<std::string>& behind) {
    Strategy strategy;
    strategy.key = line;
    const auto protocol = protocol_named(take_word(line));
    strategy.place = take_word(line);
    auto own = read_words(line);
    if (!protocol || strategy.place.empty() || !own) {
        return std::nullopt;
    }
    strategy.protocol = *protocol;
    strategy.words = before;
    strategy.words.insert(strategy.words.end(), own->begin(), own->end());
    strategy.words.insert(strategy.words.end(), behind.begin(), behind.end());
    for (const auto& word : strategy.words) {
        if (is_global(word)) {
            strategy.global.push_back(word);
        } else if (!begins_profile(word) && !stands_beside_others(word)) {
            strategy.alone = true;
        }
    }
    return strategy;
}

} // namespace nfqws2::probe
