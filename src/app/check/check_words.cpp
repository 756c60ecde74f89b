#include "check/check_words.hpp"

#include "nfqws2/base/log.hpp"
#include "nfqws2/base/text.hpp"
#include "options/option_table.hpp"

namespace nfqws2::app {
namespace {

bool has_optional_argument(std::string_view name) {
    for (const OptionName& option : option_names())
        if (option.name == name) return option.arg == Arg::optional;
    return false;
}

// Word processors turn two hyphens into one of these.
bool begins_with_other_dash(std::string_view word) {
    for (const std::string_view dash :
         {"\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "\u2015", "\u2212"})
        if (word.starts_with(dash)) return true;
    return false;
}

std::string explanation(std::size_t at, const Arguments& arguments, const ParseState& state) {
    const std::string& word = arguments.words[at].text;
    if (begins_with_other_dash(word)) return ", it begins with a dash that is none, write --";
    const std::string before = at > 0 ? state.option_at[at - 1] : "";
    if (has_optional_argument(before)) return ", did you mean '--" + before + "=" + word + "'?";
    const std::string name = word.substr(0, word.find('='));
    for (const OptionName& option : option_names())
        if (name == option.name) return ", did you mean '--" + word + "'?";
    return "";
}

std::string without_effect(std::size_t at, const Arguments& arguments, const ParseState& state) {
    return "'" + arguments.words[at].text + "' is no option and has no effect" +
           explanation(at, arguments, state);
}

} // namespace

void warn_of_words(const Arguments& arguments, const ParseState& state) {
    for (const std::string& remark : arguments.remarks)
        log::error("warning: %s", remark.c_str());
    for (const std::size_t at : state.ignored)
        log::error("warning: %s", without_effect(at, arguments, state).c_str());
}

void check_words(const Arguments& arguments, const ParseState& state, Report& report) {
    for (const std::string& remark : arguments.remarks)
        report.add(Level::warning, std::nullopt, remark);
    for (const std::size_t at : state.ignored)
        report.add(Level::warning, at, without_effect(at, arguments, state));
    for (const auto& [position, text] : state.profiles.warnings())
        report.add(Level::warning, position, text);
}

} // namespace nfqws2::app
