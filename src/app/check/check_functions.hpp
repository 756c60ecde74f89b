// Functions and arguments of instances, against what Lua init has left behind
// (docs/contracts/command-line.md#check).
#pragma once

#include "check/report.hpp"

#include <functional>
#include <map>
#include <string>

namespace nfqws2::app {

using LuaGlobals = std::map<std::string, std::string, std::less<>>; // name -> type

void check_functions(const Profiles& profiles, const LuaGlobals& globals, Report& report);

} // namespace nfqws2::app
