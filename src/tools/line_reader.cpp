#include "line_reader.hpp"

#include <cerrno>
#include <cstring>
#include <poll.h>
#include <unistd.h>

namespace nfqws2::tools {

namespace {

constexpr std::size_t block_size = 64 * 1024;
constexpr std::size_t kept_head = max_line_length + 1;

std::string_view trimmed(std::string_view text) {
    const std::size_t last = text.find_last_not_of("\n\r \t");
    return last == std::string_view::npos ? std::string_view{} : text.substr(0, last + 1);
}

} // namespace

LineReader::LineReader(int fd) : fd_(fd), block_(std::make_unique<char[]>(block_size)) {
}

bool LineReader::next(Line& line) {
    for (;;) {
        const char* from = block_.get() + begin_;
        const std::size_t held = end_ - begin_;
        const void* newline = held == 0 ? nullptr : std::memchr(from, '\n', held);
        if (newline != nullptr || at_end_) {
            if (newline == nullptr && held == 0) return false;
            const std::size_t length =
                newline == nullptr
                    ? held
                    : static_cast<std::size_t>(static_cast<const char*>(newline) - from);
            begin_ += newline == nullptr ? length : length + 1;
            line.text =
                cut_ ? std::string_view(from, kept_head) : trimmed(std::string_view(from, length));
            line.too_long = line.text.size() > max_line_length;
            cut_ = false;
            return true;
        }
        make_room();
        refill();
    }
}

// Reads once, whatever there is: a line that never ends shall not keep the caller here.
bool LineReader::would_wait() {
    if (at_end_ || holds_line()) return false;
    pollfd p{fd_, POLLIN, 0};
    if (poll(&p, 1, 0) == 0) return true;
    make_room();
    refill();
    return !at_end_ && !holds_line();
}

bool LineReader::holds_line() const {
    const std::size_t held = end_ - begin_;
    return held != 0 && std::memchr(block_.get() + begin_, '\n', held) != nullptr;
}

void LineReader::make_room() {
    if (begin_ != 0) {
        std::memmove(block_.get(), block_.get() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
    }
    if (end_ == block_size) {
        end_ = kept_head;
        cut_ = true;
    }
}

void LineReader::refill() {
    ssize_t n;
    do {
        n = read(fd_, block_.get() + end_, block_size - end_);
    } while (n < 0 && errno == EINTR);
    if (n < 0) error_ = errno;
    if (n <= 0)
        at_end_ = true;
    else
        end_ += static_cast<std::size_t>(n);
}

} // namespace nfqws2::tools
