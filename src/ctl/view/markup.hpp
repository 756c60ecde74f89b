// Text inside of XML and HTML. Names in a trace come from the network: whatever they hold stays
// text.
#pragma once

#include <string>
#include <string_view>

namespace nfqws2::ctl {

// For contents and for attributes in double quotes. What XML forbids, and what reverses the
// direction of text, becomes U+FFFD.
std::string escaped(std::string_view text);

// The next character of UTF-8 text, taken off its front; U+FFFD for a byte that begins none.
char32_t next_character(std::string_view& text);
// Control characters, and those that change the direction of what follows.
bool is_harmful(char32_t character);

// At most so many characters, the last one an ellipsis if there were more.
std::string shortened(std::string_view text, std::size_t most);
std::size_t character_count(std::string_view text);

} // namespace nfqws2::ctl
