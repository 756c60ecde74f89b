// Files that a rules file names are regular ones: a named pipe would be waited for for ever, and a
// device has no end.
#pragma once

#include <string>
#include <sys/stat.h>

namespace nfqws2::rules {

// Whether something else is there. What is missing is told by who reads it.
inline bool is_irregular(const std::string& path) {
    struct stat st {};
    return stat(path.c_str(), &st) == 0 && !S_ISREG(st.st_mode);
}

} // namespace nfqws2::rules
