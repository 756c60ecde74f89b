// Instances of scripts that were written for NFLua (docs/nflua.md): words that their arguments
// know, and places where they cannot work.
#pragma once

#include "check/report.hpp"

namespace nfqws2::app {

void check_nflua(const Profiles& profiles, Report& report);

// Why the instance drops every packet, for --check and the start; "" if it does not.
std::string drops_everything(const profile::LuaInstance& instance);

} // namespace nfqws2::app
