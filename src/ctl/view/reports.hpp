// Answers of the daemon as people read them. Pure functions of the lines of an answer
// (docs/control.md); what an older daemon does not say is left out.
#pragma once

#include "json.hpp"
#include "view/terminal.hpp"

#include <string>
#include <vector>

namespace nfqws2::ctl {

using Lines = std::vector<Json>;

std::string status_report(const Lines& lines, const Style& style);
std::string counters_report(const Lines& lines, const Style& style);
std::string flows_report(const Lines& lines, const Style& style);
std::string hosts_report(const Lines& lines, const Style& style);
std::string lists_report(const Lines& lines, const Style& style);
std::string learn_report(const Lines& lines, const Style& style);
std::string rules_report(const Lines& lines, const Style& style);
std::string marks_report(const Lines& lines, const Style& style);
std::string find_report(const Lines& lines, const Style& style);
// What was found and what has changed, or would.
std::string reload_report(const Lines& lines, const Style& style);
// The answers of `find` and of `flows` for one name.
std::string why_report(const std::string& host, const Lines& find, const Lines& flows,
                       const Style& style);
// One line of a stream.
std::string trace_report(const Json& line, const Style& style);
std::string log_report(const Json& line, const Style& style);

} // namespace nfqws2::ctl
