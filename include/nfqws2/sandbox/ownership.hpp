// Directories that are prepared as root and belong to the unprivileged user later.
#pragma once

#include <string>
#include <sys/types.h>

namespace nfqws2::sandbox {

// Makes `path` a directory (with `mode` and umask, if it is new) that `uid` owns, or at least one
// that the current user can write to. Refuses a symbolic link, a file, and a directory that a
// stranger made in a place where everybody can make directories. False: logged.
bool make_writable_directory(const std::string& path, unsigned uid, mode_t mode = 0755);

// The same for a directory that is the program's alone: its files come along when it gets another
// owner, those that belonged to the one before.
bool make_own_directory(const std::string& path, unsigned uid, mode_t mode);

} // namespace nfqws2::sandbox
