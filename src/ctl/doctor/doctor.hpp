// What makes set-ups fail, and what to do about it.
#pragma once

#include "doctor/facts.hpp"
#include "view/terminal.hpp"

namespace nfqws2::ctl {

Findings examine(const Facts& facts);

// For people; problems first.
std::string findings_text(const Findings& findings, const Style& style);
// The same as objects, in the order of the checks.
Json findings_list(const Findings& findings);
// A line each, then {"end":true,"count":N}.
std::string findings_json(const Findings& findings);
// Something that should not be so; a note is none.
bool is_ill(const Findings& findings);

} // namespace nfqws2::ctl
