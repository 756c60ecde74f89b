// Searching in text protocols, shared by the HTTP functions and the markers.
#pragma once

#include <cstddef>
#include <string_view>

namespace nfqws2::protocol {

// Offset of the first `name` that follows an LF and precedes a colon (any case), npos if none.
std::size_t find_header(std::string_view text, std::string_view name);

} // namespace nfqws2::protocol
