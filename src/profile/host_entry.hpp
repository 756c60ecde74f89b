// Entries of host lists as people write them: what is stored for one, and whether that can ever be
// the name of a host.
#pragma once

#include <string>
#include <string_view>

namespace nfqws2::profile {

// Nothing has to be done for it: an ASCII name. Almost every entry is one, so this is quick.
bool is_ordinary_entry(std::string_view entry);

struct HostEntry {
    std::string text; // to store
    std::string flaw; // why it never matches and what to write instead, "" if it may match
};
// `rest` is what follows in the same line. A final dot is left out, a name that is not ASCII
// becomes its xn-- form; a leading `^` stays.
HostEntry tidy_host_entry(std::string_view entry, std::string_view rest);

} // namespace nfqws2::profile
