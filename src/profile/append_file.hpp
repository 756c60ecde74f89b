// Safe additions to an automatic host list that users and scripts edit too.
#pragma once

#include "nfqws2/profile/list_file.hpp"

#include <string>
#include <string_view>

namespace nfqws2::profile {

struct AppendResult {
    bool ok = false;
    bool busy = false; // somebody holds a lock on the file; try again later
    bool created = false;
    int error = 0; // errno
    Signature before, after;
};
// Appends whole lines with one write, behind a line end; all or nothing. Never waits for a lock.
AppendResult append_lines(const std::string& path, std::string_view lines);

} // namespace nfqws2::profile
