// Internationalised host names (IDNA 2008, RFC 5891) as they are sent: пример.рф is
// xn--e1afmkfd.xn--p1ai. The work is libidn2's, whose tables are large: it is loaded when the first
// such name comes, and never if none does.
#pragma once

#include <optional>
#include <string>

namespace nfqws2 {

// Whether this build converts names and the library is there.
bool can_convert_names();

// The name in lower case and xn-- form. Otherwise nothing, and *why tells why.
std::optional<std::string> ascii_name(const std::string& utf8, std::string* why);

} // namespace nfqws2
