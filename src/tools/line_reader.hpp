// Lines from a descriptor, read in large blocks. Memory is one block whatever the input holds: the
// middle of a line that does not fit is thrown away and the line is marked.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace nfqws2::tools {

inline constexpr std::size_t max_line_length = 255; // bytes, without the line ending

struct Line {
    std::string_view text; // trailing blanks and line ends cut; valid until the next call
    bool too_long = false; // longer than max_line_length; text is then only a part of it
};

class LineReader {
  public:
    explicit LineReader(int fd);

    bool next(Line& line); // false at the end of the input or on an error
    // The next line is not here yet and reading it now could wait. Takes in what is there of it, so
    // the text of the last line is gone.
    bool would_wait();
    int error() const { return error_; } // errno of a failed read, else 0

  private:
    bool holds_line() const;
    void make_room();
    void refill();

    int fd_;
    int error_ = 0;
    bool at_end_ = false;
    bool cut_ = false; // bytes of the current line were thrown away
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::unique_ptr<char[]> block_;
};

} // namespace nfqws2::tools
