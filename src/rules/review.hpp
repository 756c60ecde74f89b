// What is odd in a file that can be compiled: warnings of --check.
#pragma once

#include "reader.hpp"

#include <map>

namespace nfqws2::rules {

// `places`: of the rules.
void review(const Program& program, const Build& build,
            const std::map<std::uint32_t, Place>& places);

} // namespace nfqws2::rules
