// Addresses as text, fast: a list of a million lines is mostly this.
#pragma once

#include "ip2net/net_key.hpp"

#include <optional>
#include <string_view>

namespace nfqws2::tools {

// Takes "a.b.c.d" from the front of the text. Leading zeros are decimal.
std::optional<Ipv4Key> take_ipv4(std::string_view& text);
std::optional<Ipv6Key> parse_ipv6(std::string_view text); // what inet_pton takes

// Write to `out` and return the end: at most 15, 45 and 10 bytes.
char* write_ipv4(char* out, Ipv4Key key);
char* write_ipv6(char* out, Ipv6Key key); // as inet_ntop does
char* write_number(char* out, unsigned value);

} // namespace nfqws2::tools
