// From words to a finished Config (docs/contracts/command-line.md#grammar).
#pragma once

#include "options/arguments.hpp"
#include "options/parse_state.hpp"

#include <optional>

namespace nfqws2::app {

// Executes the options from left to right into `state`. A value: the program ends with this code,
// all messages are printed.
std::optional<int> parse_options(const Arguments& arguments, ParseState& state);

// What was said of options that were taken; with --check it stands in the report instead.
void tell_warnings(const ParseState& state);

// Closes the last profile and checks what concerns several options. Throws ConfigError.
void finish_config(ParseState& state);

} // namespace nfqws2::app
