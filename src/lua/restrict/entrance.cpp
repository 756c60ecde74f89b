#include "restrict/entrance.hpp"

#include "nfqws2/base/file.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace nfqws2::lua {

namespace {

constexpr int flags = O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

// A FIFO that nobody reads cannot be written. An end of our own, held for a moment, keeps the real
// opening from waiting for another one.
Entrance enter_fifo(const char* path, int access) {
    const FileDescriptor probe(::open(path, access | flags));
    if (!probe) return {errno};
    return {0, ::open(path, O_RDWR | flags), true};
}

Entrance enter_device(const char* path, int access) {
    const FileDescriptor probe(::open(path, access | flags));
    if (!probe) return {errno};
    return {isatty(probe.get()) ? EACCES : 0};
}

rlim_t most_descriptors() {
    constexpr rlim_t most = 768;
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return most;
    return std::min(limit.rlim_cur / 4 * 3, most);
}

} // namespace

// New descriptors are the lowest that are free, so the next one tells how many there are.
bool has_room_for_file() {
    const FileDescriptor next(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
    if (!next) return errno != EMFILE;
    return static_cast<rlim_t>(next.get()) < most_descriptors();
}

Entrance enter(const char* path, int access) {
    if (!has_room_for_file()) return {EMFILE};
    struct stat status {};
    if (stat(path, &status) != 0) return {};
    if (S_ISFIFO(status.st_mode)) return enter_fifo(path, access);
    if (S_ISCHR(status.st_mode)) return enter_device(path, access);
    return {S_ISSOCK(status.st_mode) ? ENXIO : 0};
}

} // namespace nfqws2::lua
