// Lines of a descriptor, each of bounded length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nfqws2::ctl {

class LineReader {
  public:
    LineReader(int fd, std::size_t limit) : fd_(fd), limit_(limit) {}

    // Without its end; nothing at the end of the input or after an error. Longer lines are left
    // out. The text lives until the next call.
    std::optional<std::string_view> next();
    // A whole line that has come already, without waiting for more.
    bool has_line() const { return buffer_.find('\n', taken_) != std::string::npos; }

    std::int64_t too_long() const { return too_long_; }
    const std::string& error() const { return error_; }

  private:
    bool fill();

    int fd_;
    std::size_t limit_, taken_ = 0;
    std::string buffer_, error_;
    std::int64_t too_long_ = 0;
    bool ended_ = false, skipping_ = false;
};

} // namespace nfqws2::ctl
