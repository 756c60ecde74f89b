#include "nfqws2/engine/trace_file.hpp"

#include "nfqws2/base/log.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace nfqws2::engine {

namespace {
constexpr std::size_t buffer_size = 64 * 1024;
}

FileDescriptor TraceFile::create(const std::string& path) {
    constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY;
    return FileDescriptor(open(path.c_str(), flags, 0666));
}

void TraceFile::write(std::string_view lines) {
    if (failed_) return;
    buffer_ += lines;
    if (buffer_.size() >= buffer_size) flush();
}

bool TraceFile::flush() {
    std::string_view rest = buffer_;
    while (!rest.empty() && !failed_) {
        const ssize_t n = ::write(file_.get(), rest.data(), rest.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            log::os_error("cannot write trace '" + name_ + "'", n < 0 ? errno : EIO);
            failed_ = true;
            break;
        }
        rest.remove_prefix(static_cast<std::size_t>(n));
    }
    buffer_.clear();
    return !failed_;
}

} // namespace nfqws2::engine
