// Many requests at the same time, over libcurl's multi interface.
#pragma once

#include "options.hpp"

#include <cstdio>

namespace nfqws2::probe {

enum class End {
    done,
    enough, // with jobs left, as asked for
    failed, // libcurl or the output does not work
};

// Works off the jobs that come from a file, and writes a line for each attempt as soon as it is
// over. A line that is no job costs that line, with a message.
End run_jobs(const Options& options, std::FILE* jobs, std::FILE* results);

} // namespace nfqws2::probe
