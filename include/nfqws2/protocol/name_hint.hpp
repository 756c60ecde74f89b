// What to say of a name that is none, for error messages.
#pragma once

#include <string>
#include <string_view>

namespace nfqws2::protocol {

// " (unknown name 'quik', did you mean 'quic'?)"; instead of the nearest name those that begin
// like the given one, or, of flow protocols, all.
std::string l7_name_hint(std::string_view bad);
std::string payload_name_hint(std::string_view bad);

} // namespace nfqws2::protocol
