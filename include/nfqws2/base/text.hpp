// Small text helpers: hex, numbers, splitting. ASCII only, locale independent.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2 {

std::string to_hex(Bytes data);                                          // lower case
std::optional<std::vector<std::uint8_t>> from_hex(std::string_view hex); // even count, any case

// Whole text is a decimal number within [min, max]; nullopt otherwise (no sign, no blanks).
std::optional<std::uint64_t> parse_uint(std::string_view text, std::uint64_t max = UINT64_MAX);
// The number of an option: as above, but blanks and one '+' may stand before it, since strtoul
// takes them.
std::optional<std::uint64_t> decimal(std::string_view text, std::uint64_t max);

// Of a text file: what stands behind the byte order mark that editors put before UTF-8, if there is
// one; and whether its mark is that of UTF-16.
std::string_view without_byte_order_mark(std::string_view text);
bool is_utf16(std::string_view text);

std::vector<std::string_view> split(std::string_view text, char separator); // keeps empty items
char ascii_lower(char c);
std::string ascii_lower(std::string_view text);
// For a line of a log or a terminal: names come from the network, and a control character must not
// forge another line. Such become '?'.
std::string printable(std::string_view text);
bool is_identifier(std::string_view text); // [A-Za-z_][A-Za-z0-9_]*

// The member of `known` nearest to `word` by edit distance, or "" if none is near enough to be a
// typing mistake. For error messages.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known);

// The shortest text that reads as the same number.
std::string shortest_number(double number);
std::string format(const char* fmt, ...) __attribute__((format(printf, 1, 2)));

} // namespace nfqws2
