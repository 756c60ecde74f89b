// The live view: what has changed between two looks at a daemon.
#pragma once

#include "view/reports.hpp"

namespace nfqws2::ctl {

struct Look {           // NOLINT(bugprone-exception-escape): the move of Json does not
    double seconds = 0; // on a clock that never goes back
    Lines counters, flows;
    Json status;
};

// At most `rows` lines, 0: any.
std::string top_report(const Look& before, const Look& now, const Style& style, std::size_t rows);

} // namespace nfqws2::ctl
