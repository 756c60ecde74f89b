// Options about connection tracking (docs/contracts/command-line.md#connection-tracking).
#pragma once

#include "options/parse_state.hpp"

namespace nfqws2::app {

void set_ct(ParseState&, const OptionValue&);
void set_ct_state_mark(ParseState&, const OptionValue&);
void set_ct_sim_helper(ParseState&, const OptionValue&);

// Filters, marks or traffic rules ask for the connection.
bool uses_ct(const Config& config);
// What the options mean together: the default of --ct, and simulation where there is no kernel.
// Once more when traffic rules are read.
void settle_ct(Config& config);
// Why that cannot be: the option and the text, or nullptr.
const char* ct_complaint(const Config& config, const char** option);
// The same of traffic rules, which are read later.
const char* rules_without_ct(const Config& config);

} // namespace nfqws2::app
