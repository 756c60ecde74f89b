// What one input line of mdig is: an address to pass on, a name to resolve, or an error.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::tools {

struct Families {
    bool v4 = true;
    bool v6 = false;
};

enum class LineKind {
    empty,
    literal,      // address (and mask) to print
    wrong_family, // address of a family nobody asked for
    bad_subnet,
    domain,
    invalid,
};

struct MdigLine {
    LineKind kind = LineKind::invalid;
    std::string_view address;     // as typed; for literal and wrong_family
    std::optional<unsigned> mask; // only if shorter than the address
};

MdigLine classify_line(std::string_view line, Families families);

// At most 64 characters, what does not print as '?'. For messages.
std::string printable(std::string_view text);

} // namespace nfqws2::tools
