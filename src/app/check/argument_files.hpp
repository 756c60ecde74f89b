// Files that instances of library functions name in their arguments: scripts read them when the
// first connection needs them, so they are looked at before.
#pragma once

#include "check/report.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::app {

struct ArgumentFile {
    const profile::LuaInstance* instance;
    std::string_view argument;
    const std::string* path;
    bool certain; // false: something else of this name may be meant, by a function of the user
};

// Without those whose name is known only when the program runs.
std::vector<ArgumentFile> argument_files(const Profiles& profiles);

// Empty: scripts can read it without waiting for somebody who writes.
std::string why_unreadable(const std::string& path);

// Can they be read, and do their lines say something?
void check_argument_files(const Profiles& profiles, Report& report);

} // namespace nfqws2::app
