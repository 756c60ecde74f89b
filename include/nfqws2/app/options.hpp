// The one declaration of every option: name, kind of argument, help, group and what it does. The
// parser, --help and the option tests are made from this table.
#pragma once

#include "nfqws2/app/config.hpp"
#include "nfqws2/app/option_parser.hpp"
#include "nfqws2/app/values.hpp"
#include "nfqws2/profile/profile_builder.hpp"

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace nfqws2::app {

// What the options of one command line have said so far. Options act from left to right, with side
// effects (files are opened, the directory is changed), so this is handed through all of them.
struct ParseState {
    explicit ParseState(profile::ListStore& lists) : profiles(lists) {}

    Config config;
    profile::ProfileBuilder profiles;
    std::optional<int> exit_code; // the option ends the program now

    // Names of the options by position, "" for other words; where the one being read stands.
    std::vector<std::string> option_at;
    std::size_t position = 0;
    bool failed = false; // at `position`
    struct BlobFile {
        BlobSource source;
        std::size_t blob, position;
    };
    std::vector<BlobFile> blob_files; // open, to be read

    // For --check: what was said without ending the program, and words that were no options.
    std::vector<std::pair<std::size_t, std::string>> warnings;
    std::vector<std::size_t> ignored;

    const Arguments* arguments = nullptr; // what was parsed
};

using OptionValue = std::optional<std::string>;
using GlobalOption = void (*)(ParseState&, const OptionValue&); // throws BadValue
using ProfileOption = bool (profile::ProfileBuilder::*)(std::string_view, std::string*);

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

std::span<const OptionSpec> option_table();
std::span<const OptionName> option_names(); // same order

// All options by group, at most 100 columns.
std::string help_text();

} // namespace nfqws2::app
