// What rules have counted, as one JSON object (docs/rules.md#statistics).
#pragma once

#include "nfqws2/rules/judge.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace nfqws2::rules {

// Sums over the workers' judges, at least one. Ends in `}` and a line end. Any thread.
std::string statistics(std::span<const Judge* const> judges, const Tables& tables,
                       std::int64_t unix_s);

} // namespace nfqws2::rules
