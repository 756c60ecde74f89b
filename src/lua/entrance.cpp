#include "entrance.hpp"

#include "nfqws2/base/file.hpp"

#include <cerrno>
#include <fcntl.h>
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

} // namespace

Entrance enter(const char* path, int access) {
    struct stat status {};
    if (stat(path, &status) != 0) return {};
    if (S_ISFIFO(status.st_mode)) return enter_fifo(path, access);
    if (S_ISCHR(status.st_mode)) return enter_device(path, access);
    return {S_ISSOCK(status.st_mode) ? ENXIO : 0};
}

} // namespace nfqws2::lua
