#include "options/help.hpp"

#include "options/option_table.hpp"

#include <string_view>

namespace nfqws2::app {
namespace {

constexpr std::size_t columns = 100;
constexpr std::size_t text_column = 40;

std::string synopsis(const OptionSpec& option) {
    std::string text = std::string(" --") + option.name.name;
    if (option.name.arg == Arg::required) text += std::string("=") + option.value;
    if (option.name.arg == Arg::optional) text += std::string("[=") + option.value + "]";
    return text;
}

// Appends `text` in lines that begin at text_column and end before the last column.
void append_wrapped(std::string& out, std::size_t used, std::string_view text) {
    if (used + 2 > text_column) {
        out += '\n';
        used = 0;
    }
    while (!text.empty()) {
        out.append(text_column - used, ' ');
        std::size_t length = text.size();
        if (length > columns - text_column) {
            length = text.rfind(' ', columns - text_column);
            if (length == std::string_view::npos) length = columns - text_column;
        }
        out += text.substr(0, length);
        out += '\n';
        text.remove_prefix(length);
        if (text.starts_with(' ')) text.remove_prefix(1);
        used = 0;
    }
}

} // namespace

const char* title(OptionGroup group) {
    static constexpr const char* titles[option_group_count] = {
        "GENERAL",
        "PROCESS AND PRIVILEGES",
        "CONNECTION TRACKING AND PAYLOADS",
        "LUA",
        "OFFLINE MODE AND DIAGNOSIS",
        "PROFILES",
        "PROFILE FILTERS",
        "PROFILE LISTS (any included and none of the excluded)",
        "AUTOMATIC HOST LIST",
        "LUA INSTANCES OF A PROFILE",
    };
    return titles[static_cast<std::size_t>(group)];
}

std::string help_text() {
    std::string out = "Usage: nfqws2 <option>...\n"
                      "       nfqws2 @<file>    options from a file, in shell quoting\n";
    for (std::size_t g = 0; g < option_group_count; g++) {
        const auto group = static_cast<OptionGroup>(g);
        out += std::string("\n") + title(group) + ":\n";
        for (const OptionSpec& option : option_table()) {
            if (option.group != group) continue;
            const std::string head = synopsis(option);
            out += head;
            append_wrapped(out, head.size(), option.help);
        }
    }
    return out;
}

} // namespace nfqws2::app
