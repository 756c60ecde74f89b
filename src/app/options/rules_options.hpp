// Options about traffic rules (docs/rules.md).
#pragma once

#include "options/parse_state.hpp"

namespace nfqws2::app {

void set_rules(ParseState&, const OptionValue&);
void set_rules_stats(ParseState&, const OptionValue&);
void set_rules_capture(ParseState&, const OptionValue&);
void set_rules_export(ParseState&, const OptionValue&);

} // namespace nfqws2::app
