// Readers of option values (docs/contracts/command-line.md#numbers and what follows there). They
// throw BadValue with the text for the user; the caller adds the option's name and position.
#pragma once

#include "nfqws2/base/bad_value.hpp"
#include "nfqws2/base/text.hpp"
#include "options/config.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::app {

// No value = true; else a number that is not zero. An empty value is false.
bool parse_flag(const std::optional<std::string>& value);

std::uint32_t parse_mark(const std::string& text);   // decimal or 0xHEX
std::uint32_t parse_fwmark(const std::string& text); // the same, not 0
flow::TableOptions parse_ctrack_timeouts(const std::string& text, flow::TableOptions base);
Privileges parse_uid(const std::string& text, Privileges base);
unsigned parse_group(const std::string& text); // name or number
Privileges parse_user(const std::string& name, Privileges base);
std::vector<capture::Network> parse_networks(const std::string& text);
lua::LuaInit parse_lua_code(const std::string& text, const char* option);

// realpath of the file or of its directory + name; BadValue "bad file 'P'".
std::string made_absolute(const std::string& path);
std::string output_path(const std::string& path); // absolute, with its links (output_file.hpp)

} // namespace nfqws2::app
