// One input line of ip2net: an address to collect, something to print as it is, or nothing.
#pragma once

#include "ip2net/net_key.hpp"

#include <string_view>

namespace nfqws2::tools {

enum class LineUse { dropped, collected, printed };

// "a.b.c.d[/n|-e.f.g.h][junk]". What is to be printed is written normalised to `text`, which has
// room for max_printed_ipv4 bytes; `text_size` tells how many.
inline constexpr unsigned max_printed_ipv4 = 31; // two addresses and a dash
LineUse read_ipv4_line(std::string_view line, Ipv4Key& key, char* text, unsigned& text_size);

// "ADDR[/n]" or "ADDR-ADDR", addresses as inet_pton takes them. What is to be printed is
// `printed`, as typed, followed by "/<mask>" if has_mask is set.
struct Ipv6Line {
    LineUse use = LineUse::dropped;
    Ipv6Key key{};            // collected
    std::string_view printed; // printed: part of the line
    bool has_mask = false;
    unsigned mask = 0;
};
Ipv6Line read_ipv6_line(std::string_view line);

} // namespace nfqws2::tools
