// What a set of options says, for the question what differs between two of them.
#pragma once

#include "options/arguments.hpp"

#include <map>
#include <string>
#include <vector>

namespace nfqws2::app {

struct OptionSet {
    // Those that only a restart can change: all values of each, in order. An option without a value
    // has "".
    std::map<std::string, std::vector<std::string>> fixed;
    // What the options of each profile say, in order; with what it imports, if anything.
    struct ProfileText {
        std::string name, text;
    };
    std::vector<ProfileText> profiles;
};

// Words that are no options are somebody else's business. An option that is none ends it.
OptionSet option_set(const Arguments& arguments);

// "--qnum has changed (200, was 201)" for each fixed option that differs.
std::vector<std::string> fixed_differences(const OptionSet& before, const OptionSet& now);

// What a reload does, or would do.
struct Change {
    const char* what; // profile, blob, lua-init
    unsigned number;  // of a profile, else 0
    std::string name;
    const char* how; // added, removed, changed
};
std::vector<Change> profile_changes(const OptionSet& before, const OptionSet& now);

} // namespace nfqws2::app
