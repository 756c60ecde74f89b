// What the actions `capture` and `export` write: packets as pcapng (--rules-capture), records as
// JSON lines (--rules-export). Workers share it: a mutex around each packet and record.
//
// Nothing here waits for a reader: a record that a socket or pipe does not take is lost and
// counted, and a capture into a pipe ends there. A capture ends for good at its size; a file of
// records takes no more while it has its size. More than 10,000 packets a second are not written
// into either.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/file.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::rules {

class Outputs {
  public:
    static constexpr std::uint32_t written_per_second = 10'000;

    explicit Outputs(const Clock& clock) : clock_(clock) {}
    Outputs(const Outputs&) = delete;
    Outputs& operator=(const Outputs&) = delete;

    // Before there are workers. What is in the file goes.
    void capture_into(FileDescriptor file, std::uint64_t most_bytes);
    // A file or pipe; or the path of a datagram socket, which somebody may open later.
    void export_into(FileDescriptor file, std::uint64_t most_bytes);
    bool export_to_socket(const std::string& path, std::string* error);

    bool captures() const { return capturing_.load(std::memory_order_relaxed); }
    bool exports() const { return static_cast<bool>(export_); }

    void capture(Bytes packet, std::string_view interface, std::string_view rule);
    // `line`: JSON without a line end.
    void write_record(std::string_view line);
    std::int64_t unix_ns() const { return clock_.unix_ns(); }

    struct Counts {
        std::uint64_t captured = 0, not_captured = 0, exported = 0, lost = 0;
    };
    Counts counts() const;

  private:
    class PerSecond {
      public:
        bool take(std::int64_t now_ns);

      private:
        std::int64_t second_ = -1;
        std::uint32_t taken_ = 0;
    };
    void end_capture();
    bool may_export(std::size_t size);
    std::uint32_t interface_number(std::string_view name, std::vector<std::uint8_t>& out);
    void write_capture(Bytes blocks);

    const Clock& clock_;
    std::mutex lock_;
    FileDescriptor capture_, export_;
    std::string socket_path_;            // "": export_ is a file
    std::atomic<bool> capturing_{false}; // any worker asks for it without the lock
    std::uint64_t capture_left_ = 0;
    std::optional<std::uint64_t> export_most_; // of a regular file
    std::uint64_t export_size_ = 0;
    bool export_full_ = false;
    bool torn_ = false; // the last record is not whole: the next one begins a line
    PerSecond captures_, exports_;
    std::vector<std::string> interfaces_;
    std::atomic<std::uint64_t> captured_{0}, not_captured_{0}, exported_{0}, lost_{0};
};

} // namespace nfqws2::rules
