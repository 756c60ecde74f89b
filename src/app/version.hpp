// The version line: first output of every run, and the Lua global NFQWS2_VER.
#pragma once

#include <string>

namespace nfqws2::app {

// "self-built version Mmm dd yyyy hh:mm:ss lua_compat_ver 6" or "github version v1.0.6 (HASH)
// lua_compat_ver 6", which other programs look for. At most 127 characters.
const std::string& version_text();
// What --version says besides: Lua engine, libraries, features and compiler, a line each.
std::string build_text();

} // namespace nfqws2::app
