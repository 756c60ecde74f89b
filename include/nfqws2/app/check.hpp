// The mistakes that --check looks for (docs/contracts/command-line.md#check), each in a function of
// its own that reads plain data and adds to a report.
#pragma once

#include "nfqws2/app/config.hpp"
#include "nfqws2/app/report.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace nfqws2::app {

using Profiles = std::vector<std::unique_ptr<profile::Profile>>;    // 1, 2, ..., 0
using LuaGlobals = std::map<std::string, std::string, std::less<>>; // name -> type

// What decides whether a payload can reach an instance.
struct Circumstances {
    bool server = false;
    bool tracking = true; // connection tracking is on
    protocol::DisableSet payload_disable;
};

// Words that are no options, values of which a part was skipped.
void check_words(const Arguments& arguments, const ParseState& state, Report& report);
// Those without effect for a start, which goes on.
void warn_of_words(const Arguments& arguments, const ParseState& state);
// Empty lists, entries of lists that never match, templates that nobody imports.
void check_lists(const Config& config, Report& report);
// Profiles that are never selected.
void check_profiles(const Profiles& profiles, Report& report);
// Instances that never run.
void check_instances(const Profiles& profiles, const Circumstances& circumstances, Report& report);
// Functions and arguments of instances, against what Lua init has left behind.
void check_functions(const Profiles& profiles, const LuaGlobals& globals, Report& report);

} // namespace nfqws2::app
