// A file of a few numbers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nfqws2::probe {

// Those that stand there, separated by blanks; none if there is no such file.
std::vector<std::uint32_t> read_numbers(const std::string& path);
// Who cannot write them begins anew the next time.
void write_numbers(const std::string& path, const std::vector<std::uint32_t>& numbers);

} // namespace nfqws2::probe
