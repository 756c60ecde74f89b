// Files: RAII descriptors, whole-file reading with transparent gzip, paths made absolute.
#pragma once

#include "nfqws2/base/bytes.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nfqws2 {

class FileDescriptor {
  public:
    FileDescriptor() = default;
    explicit FileDescriptor(int fd) : fd_(fd) {}
    FileDescriptor(FileDescriptor&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& o) noexcept {
        if (this != &o) reset(std::exchange(o.fd_, -1));
        return *this;
    }
    FileDescriptor(const FileDescriptor&) = delete;
    FileDescriptor& operator=(const FileDescriptor&) = delete;
    ~FileDescriptor() { reset(); }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1);

  private:
    int fd_ = -1;
};

struct ReadResult {
    std::vector<std::uint8_t> data;
    std::string error; // empty on success, else "what: why"
    bool ok() const { return error.empty(); }
};

// As poll(2) for one descriptor, which no signal ends: 0 if nothing came in time.
int wait_until_ready(int fd, short events, int patience_ms);

inline constexpr std::size_t no_limit = SIZE_MAX;

// Whole file as bytes. `limit` bounds the result; more is an error, and so is a pipe through which
// nothing comes for `patience_ms`, below 0: it is waited for.
ReadResult read_file(const std::string& path, std::size_t limit = no_limit, int patience_ms = -1);
// The same, inflated when the first two bytes are 1F 8B whatever the name (first member only).
ReadResult read_file_maybe_gzip(const std::string& path, std::size_t limit = no_limit);
// Inflates one gzip member.
ReadResult gunzip(Bytes compressed, std::size_t limit = no_limit);
bool is_gzip(Bytes data);

// realpath of the file, or of its directory plus the base name when the file does not exist;
// nullopt when the directory is missing (docs/contracts/command-line.md#paths).
std::optional<std::string> absolute_path(const std::string& path);
bool can_read(const std::string& path, int* errno_value = nullptr); // opens a regular file

} // namespace nfqws2
