// Files that a rules file names are regular ones: a named pipe would be waited for for ever, and a
// device has no end. They are opened first and looked at then, so that nothing comes in between.
#pragma once

#include "nfqws2/base/file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>

namespace nfqws2::rules {

// Whether something else is there. What is missing is told by who reads it.
inline bool is_irregular(const std::string& path) {
    struct stat st {};
    return stat(path.c_str(), &st) == 0 && !S_ISREG(st.st_mode);
}

// None: *error says why.
inline FileDescriptor open_regular(const std::string& path, std::string* error) {
    FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    struct stat st {};
    if (!file || fstat(file.get(), &st) != 0) {
        *error = path + ": " + std::strerror(errno);
        return {};
    }
    if (S_ISREG(st.st_mode)) return file;
    *error = path + ": not a regular file";
    return {};
}
// The name by which an open file is opened once more.
inline std::string path_of(const FileDescriptor& file) {
    return "/proc/self/fd/" + std::to_string(file.get());
}

} // namespace nfqws2::rules
