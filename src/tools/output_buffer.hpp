// Buffered writing to a descriptor. The first error is kept and everything after it is dropped, so
// that callers check once, at the end.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace nfqws2::tools {

class OutputBuffer {
  public:
    explicit OutputBuffer(int fd);

    void append(std::string_view text);
    // Room for up to `size` (at most 256) bytes; advance() tells how many were really written.
    char* reserve(std::size_t size) {
        if (capacity - used_ < size) flush();
        return block_.get() + used_;
    }
    void advance(std::size_t size) { used_ += size; }
    bool flush(); // false once anything has failed
    int error() const { return error_; }

  private:
    static constexpr std::size_t capacity = 64 * 1024;
    void write_all(std::string_view text);

    int fd_;
    int error_ = 0;
    std::size_t used_ = 0;
    std::unique_ptr<char[]> block_;
};

} // namespace nfqws2::tools
