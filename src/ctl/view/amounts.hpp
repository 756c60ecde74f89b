// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace nfqws2::ctl {

std::string size_text(std::int64_t bytes); // "512 B", "1.5 kB", "12 MB"
std::string
duration_text(std::int64_t milliseconds);   // "20 ms", "1.5 s", "3 min", "2 h 5 min", "4 d 2 h"
std::string count_text(std::int64_t count); // "1 234 567"
std::string rate_text(double per_second);   // "0", "3.4", "1 200"

} // namespace nfqws2::ctl
