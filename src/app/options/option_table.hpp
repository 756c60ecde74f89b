// The one declaration of every option: name, kind of argument, help, group and what it does. The
// parser, --help and the option tests are made from this table.
#pragma once

#include "nfqws2/profile/profile_builder.hpp"
#include "options/option_parser.hpp"
#include "options/parse_state.hpp"

#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace nfqws2::app {

using GlobalOption = void (*)(ParseState&, const OptionValue&);            // throws BadValue
using ProfileOption = void (profile::ProfileBuilder::*)(std::string_view); // likewise

enum class OptionGroup : std::uint8_t {
    general,
    privileges,
    tracking,
    lua,
    offline,
    structure,
    filter,
    lists,
    auto_list,
    instances,
};
inline constexpr std::size_t option_group_count = 10;
const char* title(OptionGroup group);

struct OptionSpec {
    OptionName name;
    OptionGroup group;
    const char* value; // how --help shows the argument, "" if there is none
    const char* help;
    std::variant<GlobalOption, ProfileOption, const profile::FilterRow*> action;
    const char* without_value = ""; // what a profile option gets when its argument is left out
};

// Whether a reload can put another value into effect; the rest needs a restart.
bool is_live(const OptionSpec& option);

std::span<const OptionSpec> option_table();
std::span<const OptionName> option_names(); // same order

} // namespace nfqws2::app
