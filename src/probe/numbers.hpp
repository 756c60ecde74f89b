// Numbers in texts and files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::probe {

// That which a text begins with; 0 if it begins with none.
std::uint64_t leading_number(std::string_view text);

// A file of a few numbers: those that stand there, separated by blanks; none if there is no such
// file.
std::vector<std::uint32_t> read_numbers(const std::string& path);
// Who cannot write them begins anew the next time.
void write_numbers(const std::string& path, const std::vector<std::uint32_t>& numbers);

} // namespace nfqws2::probe
