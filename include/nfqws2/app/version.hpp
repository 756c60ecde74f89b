// The version line: first output of every run, and the Lua global NFQWS2_VER.
#pragma once

#include <string>

namespace nfqws2::app {

// "self-built version Mmm dd yyyy hh:mm:ss lua_compat_ver 6", or the release form (spec part 01
// section 1). At most 127 characters.
const std::string& version_text();

} // namespace nfqws2::app
