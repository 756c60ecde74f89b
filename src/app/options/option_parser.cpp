#include "options/option_parser.hpp"

#include "nfqws2/base/sort.hpp"
#include "nfqws2/base/text.hpp"

#include <string_view>

namespace nfqws2::app {

namespace {

std::string sorted_words(std::string_view name) {
    auto words = split(name, '-');
    sort_stably(words);
    std::string text;
    for (const std::string_view word : words)
        text += std::string(word) + '-';
    return text;
}

// What programs of this kind call it.
std::string_view usual_name(std::string_view name) {
    if (name == "?" || name == "usage") return "help";
    if (name == "queue" || name == "queue-num") return "qnum";
    return {};
}

// What people try first. These are no abbreviations: `-h` alone would be one of several options.
std::string_view option_of_letter(std::string_view word) {
    if (word == "-h" || word == "-?") return "help";
    if (word == "-V") return "version";
    return {};
}

} // namespace

std::string_view nearest_option(std::string_view name, std::span<const OptionName> table) {
    if (const std::string_view usual = usual_name(name); !usual.empty()) return usual;
    std::vector<std::string_view> known;
    for (const OptionName& option : table)
        known.emplace_back(option.name);
    const std::string words = sorted_words(name);
    for (const std::string_view option : known)
        if (sorted_words(option) == words) return option;
    return nearest(name, known);
}

OptionParser::OptionParser(const Arguments& arguments, std::span<const OptionName> table,
                           bool stop_at_first_word)
    : arguments_(arguments), table_(table), stop_at_first_word_(stop_at_first_word) {
}

OptionParser::Step OptionParser::next() {
    while (next_ < arguments_.words.size()) {
        const std::string& word = arguments_.words[next_].text;
        if (word == "--") {
            if (!behind_options_) behind_options_ = next_ + 1;
            break;
        }
        const bool is_option = word.size() > 1 && word[0] == '-';
        if (is_option) {
            option_ = {0, next_++, std::nullopt};
            return parse_word(word);
        }
        if (stop_at_first_word_) break;
        ignored_.push_back(next_++);
    }
    for (; next_ < arguments_.words.size(); next_++)
        if (arguments_.words[next_].text != "--") ignored_.push_back(next_);
    return Step::end;
}

OptionParser::Step OptionParser::parse_word(const std::string& word) {
    const std::size_t dashes = word[1] == '-' ? 2 : 1;
    const std::size_t equals = word.find('=', dashes);
    std::string name = word.substr(dashes, equals == std::string::npos ? equals : equals - dashes);
    const std::string prefix(dashes, '-');
    if (const std::string_view meant = option_of_letter(word); !meant.empty()) name = meant;

    std::vector<std::size_t> candidates;
    auto found = find(name, candidates, false);
    if (!found && candidates.empty()) found = find(name, candidates, true);
    if (!found) {
        if (candidates.empty())
            return fail("unrecognized option '" + prefix + name + "'" + hint(name));
        std::string text = "option '" + word + "' is ambiguous; possibilities:";
        for (const std::size_t c : candidates)
            text += " '" + prefix + table_[c].name + "'";
        return fail(name == "h" ? text + "; did you mean '--help'?" : text);
    }

    const OptionName& option = table_[*found];
    const std::string full_name = prefix + option.name;
    option_.index = *found;
    if (equals != std::string::npos) {
        if (option.arg == Arg::none)
            return fail("option '" + full_name + "' doesn't allow an argument");
        option_.value = word.substr(equals + 1);
    } else if (option.arg == Arg::required) {
        if (next_ >= arguments_.words.size())
            return fail("option '" + full_name + "' requires an argument");
        option_.value = arguments_.words[next_++].text;
    }
    return Step::option;
}

// An exact name, else the only option of that kind that starts with it; else the candidates.
std::optional<std::size_t> OptionParser::find(const std::string& name,
                                              std::vector<std::size_t>& candidates,
                                              bool extension) const {
    if (name.empty()) return std::nullopt;
    for (std::size_t i = 0; i < table_.size(); i++) {
        if (name == table_[i].name) return i;
        if (table_[i].extension == extension && std::string_view(table_[i].name).starts_with(name))
            candidates.push_back(i);
    }
    if (candidates.size() == 1) return candidates.front();
    return std::nullopt;
}

std::string OptionParser::hint(const std::string& name) const {
    const std::string_view best = nearest_option(name, table_);
    return best.empty() ? "" : "; did you mean '--" + std::string(best) + "'?";
}

OptionParser::Step OptionParser::fail(std::string text) {
    error_ = std::move(text);
    return Step::error;
}

} // namespace nfqws2::app
