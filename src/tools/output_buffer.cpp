#include "output_buffer.hpp"

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace nfqws2::tools {

OutputBuffer::OutputBuffer(int fd) : fd_(fd), block_(std::make_unique<char[]>(capacity)) {
}

void OutputBuffer::append(std::string_view text) {
    if (text.empty()) return;
    if (capacity - used_ < text.size()) flush();
    if (text.size() > capacity) return write_all(text);
    std::memcpy(block_.get() + used_, text.data(), text.size());
    used_ += text.size();
}

bool OutputBuffer::flush() {
    write_all({block_.get(), used_});
    used_ = 0;
    return error_ == 0;
}

void OutputBuffer::write_all(std::string_view text) {
    while (!text.empty() && error_ == 0) {
        const ssize_t n = write(fd_, text.data(), text.size());
        if (n < 0) {
            if (errno != EINTR) error_ = errno;
            continue;
        }
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

} // namespace nfqws2::tools
