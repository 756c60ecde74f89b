#include "lines.hpp"

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace nfqws2::ctl {

bool LineReader::fill() {
    char chunk[65536];
    ssize_t count = -1;
    do {
        count = read(fd_, chunk, sizeof chunk);
    } while (count < 0 && errno == EINTR);
    if (count < 0) error_ = std::strerror(errno);
    if (count <= 0) {
        ended_ = true;
        return false;
    }
    buffer_.append(chunk, static_cast<std::size_t>(count));
    return true;
}

std::optional<std::string_view> LineReader::next() {
    buffer_.erase(0, taken_);
    taken_ = 0;
    for (std::size_t seen = 0;;) {
        const std::size_t end = buffer_.find('\n', seen);
        if (end != std::string::npos) {
            taken_ = end + 1;
            if (!skipping_ && end <= limit_) return std::string_view(buffer_).substr(0, end);
            too_long_++;
            skipping_ = false;
            buffer_.erase(0, taken_);
            taken_ = 0;
            seen = 0;
            continue;
        }
        if (buffer_.size() > limit_) {
            skipping_ = true;
            buffer_.clear();
        }
        seen = buffer_.size();
        if (!ended_ && fill()) continue;
        // The last line may lack its end.
        if (skipping_) too_long_++;
        if (skipping_ || buffer_.empty() || !error_.empty()) return std::nullopt;
        taken_ = buffer_.size();
        return std::string_view(buffer_);
    }
}

} // namespace nfqws2::ctl
