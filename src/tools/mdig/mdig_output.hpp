// Everything mdig writes: addresses, the two logs, messages, statistics. Safe for many threads: a
// worker gathers its results in a Batch and hands them over at once, so no line is ever torn.
#pragma once

#include "mdig/mdig.hpp"
#include "nfqws2/base/file.hpp"
#include "nfqws2/base/ip_address.hpp"
#include "output_buffer.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace nfqws2::tools {

// Results of some input lines, in their order. Bounded by the lines a worker takes at once.
class Batch {
  public:
    void print_literal(const MdigLine& line);
    void print_address(const IpAddress& address);
    void add_blank(); // counted as an error, written to no log
    void add_done(std::string_view line, bool success, bool logged);

    std::size_t lines() const { return outcomes_.size(); }
    bool empty() const { return outcomes_.empty(); }
    void clear();

  private:
    friend class MdigOutput;
    std::string addresses_;
    std::string resolved_;
    std::string failed_;
    std::vector<bool> outcomes_;
};

class MdigOutput {
  public:
    MdigOutput(const MdigOptions& options, const MdigStreams& streams);

    // The name of the file that cannot be created, or "".
    std::string open_logs();
    bool logging() const { return resolved_log_ != nullptr || failed_log_ != nullptr; }

    void commit(Batch& batch); // takes the results and clears the batch
    // "[<thread>] <text>" to stderr; callers test verbose() before they make the text.
    void message(unsigned thread, std::string_view text);
    void complain(std::string_view text); // a line to stderr in any case
    bool verbose() const { return verbose_; }

    // While the input makes us wait, results are written through: someone may be reading them.
    void set_waiting(bool waiting);
    bool failed() const { return failed_; } // nothing more can be written
    int finish();                           // last statistics; exit code

  private:
    using Millis = std::int64_t;
    void count(bool success);
    void print_stats();
    void show_progress(Millis now);
    void flush_all();
    int report_write_errors();
    void write_error_text(std::string_view text) const;

    const int err_fd_;
    const bool verbose_;
    const std::uint64_t stats_interval_;
    const std::string resolved_name_;
    const std::string failed_name_;
    const bool unbuffered_; // stdout is a terminal
    const bool progress_;   // stderr is a terminal that shows nothing else
    const Millis started_;

    std::mutex mutex_;
    OutputBuffer out_;
    FileDescriptor resolved_fd_;
    FileDescriptor failed_fd_;
    std::unique_ptr<OutputBuffer> resolved_log_;
    std::unique_ptr<OutputBuffer> failed_log_;
    std::atomic<bool> failed_{false};
    bool waiting_ = false;
    Millis next_flush_;
    Millis next_progress_;
    std::uint64_t domains_ = 0;
    std::uint64_t successes_ = 0;
};

} // namespace nfqws2::tools
