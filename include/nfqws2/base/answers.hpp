// What the user has asked for (--help, --check, --explain), apart from what the log tells by
// itself.
#pragma once

#include <string_view>

namespace nfqws2::log {

// As a status message, but never silenced.
void answer_text(std::string_view text);
// Status messages go to the debug target only.
void set_quiet(bool quiet);

} // namespace nfqws2::log
