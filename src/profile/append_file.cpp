#include "append_file.hpp"

#include "nfqws2/base/output_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace nfqws2::profile {

namespace {

FileDescriptor open_for_append(const std::string& path, AppendResult& result) {
    FileDescriptor fd = reopen_output_file(path, O_RDWR | O_APPEND);
    if (!fd && errno == EACCES) fd = reopen_output_file(path, O_WRONLY | O_APPEND);
    if (!fd && errno == ENOENT) {
        fd = reopen_output_file(path, O_RDWR | O_CREAT | O_APPEND);
        result.created = static_cast<bool>(fd);
    }
    if (!fd) result.error = errno;
    return fd;
}

bool sign(int fd, Signature& signature) {
    struct stat st {};
    if (fstat(fd, &st) < 0) return false;
    signature = make_signature(st);
    return true;
}

// Unreadable counts as unterminated: an empty line is harmless, a glued one is not.
bool ends_unterminated(int fd, std::uint64_t size) {
    if (size == 0) return false;
    char last = 0;
    return pread(fd, &last, 1, static_cast<off_t>(size - 1)) != 1 || last != '\n';
}

bool write_once(int fd, std::string_view text) {
    ssize_t count;
    do
        count = write(fd, text.data(), text.size());
    while (count < 0 && errno == EINTR);
    if (count >= 0 && static_cast<std::size_t>(count) < text.size()) errno = ENOSPC;
    return count >= 0 && static_cast<std::size_t>(count) == text.size();
}

} // namespace

AppendResult append_lines(const std::string& path, std::string_view lines) {
    AppendResult result;
    const FileDescriptor fd = open_for_append(path, result);
    if (!fd) return result;
    if (flock(fd.get(), LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        result.busy = true;
        return result;
    }
    if (!sign(fd.get(), result.before)) {
        result.error = errno;
        return result;
    }
    std::string text = ends_unterminated(fd.get(), result.before.size) ? "\n" : "";
    text += lines;
    if (!write_once(fd.get(), text)) {
        result.error = errno;
        // Half a line must not stay; if it does, the next addition starts on a new line.
        [[maybe_unused]] const int undone =
            ftruncate(fd.get(), static_cast<off_t>(result.before.size));
        return result;
    }
    result.ok = sign(fd.get(), result.after);
    result.error = result.ok ? 0 : errno;
    return result;
}

} // namespace nfqws2::profile
