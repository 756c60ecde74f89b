// Where scripts keep what they have learnt: directories that somebody has given to the daemon's
// user, below the places where launchers install themselves. The rules, and why, are in
// docs/manual.md, "Security model".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace nfqws2::sandbox {

// Whose rights count.
struct FileUser {
    uid_t uid = 0;
    std::vector<gid_t> groups;

    static FileUser current();
    // As owner or through a group; what is open to everybody has been given to nobody.
    bool may_write(uid_t owner, gid_t group, mode_t mode) const;
};

struct StateDirectories {
    std::vector<std::string> granted; // real paths; everything below is meant too
    // The user's, but not granted, and why.
    std::vector<std::pair<std::string, std::string>> refused;
    bool cut = false; // there was more than max_state_entries

    // Why the directory of this file is not granted, by the nearest refused directory; "" if there
    // is none.
    std::string_view why_refused(const std::string& path) const;
};

// Counting from the root; deeper ones are granted only with a directory above them.
inline constexpr unsigned max_state_depth = 4;
inline constexpr std::size_t max_state_entries = 2000;

// A root: a directory (below which directories are granted), or all whose path begins with a text
// (written with a `*` behind it; these may be granted themselves).
StateDirectories find_state_directories(const std::vector<std::string>& roots,
                                        const FileUser& user);

} // namespace nfqws2::sandbox
