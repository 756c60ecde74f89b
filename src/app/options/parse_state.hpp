// What a command line has said so far.
#pragma once

#include "nfqws2/profile/profile_builder.hpp"
#include "options/arguments.hpp"
#include "options/blob_value.hpp"
#include "options/config.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
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
    std::string failure; // what is wrong at `position`, without the place; "": nothing
    struct BlobFile {
        BlobSource source;
        std::size_t blob, position;
    };
    std::vector<BlobFile> blob_files; // open, to be read

    std::vector<std::size_t> ignored; // words that were no options, for --check

    const Arguments* arguments = nullptr; // what was parsed
    bool reloading = false;               // only what a reload can change is looked at
};

using OptionValue = std::optional<std::string>;

} // namespace nfqws2::app
