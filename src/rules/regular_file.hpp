// Files that a rules file names are regular ones: a named pipe would be waited for for ever, and a
// device has no end. They are opened first and looked at then, so that nothing comes in between.
#pragma once

#include "nfqws2/base/file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

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

// All of it, by the descriptor itself: where there is no /proc it has no name.
inline ReadResult read_regular(const FileDescriptor& file, const std::string& path,
                               std::size_t limit) {
    constexpr std::size_t chunk = 65536;
    ReadResult result;
    std::size_t used = 0;
    for (;;) {
        result.data.resize(used + chunk);
        const ssize_t got = pread(file.get(), &result.data[used], chunk, static_cast<off_t>(used));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return {{}, path + ": " + std::strerror(errno)};
        used += static_cast<std::size_t>(got);
        if (used > limit) return {{}, path + ": file is too large"};
        if (got == 0) break;
    }
    result.data.resize(used);
    return result;
}

} // namespace nfqws2::rules
