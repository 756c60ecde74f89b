// The text of --help.
#pragma once

#include <string>

namespace nfqws2::app {

// All options by group, at most 100 columns.
std::string help_text();

} // namespace nfqws2::app
