// The words and options of the command line as JSON, from which completions are made.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace nfqws2::ctl {

// {"options":[{"names":["-s","--socket"],"kind":"PATH","help":"..."}],"words":[{"name":...,"help":...,"options":...}]};
// an option without names is what stands alone.
std::string describe(const CLI::App& app);

} // namespace nfqws2::ctl
