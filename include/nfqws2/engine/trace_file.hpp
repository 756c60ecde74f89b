// Where trace lines go: a buffered file. A write that fails is reported once, then nothing more is
// written; the packets do not suffer.
#pragma once

#include "nfqws2/base/file.hpp"

#include <string>
#include <string_view>

namespace nfqws2::engine {

class TraceFile {
  public:
    // `name` is for messages.
    TraceFile(FileDescriptor file, std::string name)
        : file_(std::move(file)), name_(std::move(name)) {}
    ~TraceFile() { flush(); }
    TraceFile(TraceFile&&) noexcept = default;
    TraceFile& operator=(TraceFile&&) noexcept = default;

    // Creates or empties the file; none and errno if that fails.
    static FileDescriptor create(const std::string& path);

    void write(std::string_view lines);
    bool flush(); // false if a write failed, now or before

  private:
    FileDescriptor file_;
    std::string name_, buffer_;
    bool failed_ = false;
};

} // namespace nfqws2::engine
