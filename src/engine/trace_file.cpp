#include "nfqws2/engine/trace_file.hpp"

#include "nfqws2/base/log.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace nfqws2::engine {

namespace {
constexpr std::size_t buffer_size = 64 * 1024;
}

OutputFile TraceFile::create(const std::string& path) {
    return open_output_file(path, O_WRONLY | O_TRUNC | O_APPEND);
}

TraceFile::TraceFile(FileDescriptor file, std::string name) : shared_(std::make_shared<Shared>()) {
    shared_->file = std::move(file);
    shared_->name = std::move(name);
}

void TraceFile::write(std::string_view lines) {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->failed) return;
    shared_->buffer += lines;
    if (shared_->buffer.size() >= buffer_size) shared_->flush();
}

bool TraceFile::flush() {
    const std::lock_guard lock(shared_->mutex);
    shared_->flush();
    return !shared_->failed;
}

std::int64_t TraceFile::start(std::int64_t now_ns) {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->start_ns) shared_->start_ns = now_ns;
    return *shared_->start_ns;
}

void TraceFile::Shared::flush() {
    std::string_view rest = buffer;
    while (!rest.empty() && !failed) {
        const ssize_t n = ::write(file.get(), rest.data(), rest.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            log::os_error("cannot write trace '" + name + "'", n < 0 ? errno : EIO);
            failed = true;
            break;
        }
        rest.remove_prefix(static_cast<std::size_t>(n));
    }
    buffer.clear();
}

} // namespace nfqws2::engine
