// Programs that this one starts: daemons under test, and curl.
#pragma once

#include "nfqws2/base/file.hpp"

#include <string>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace nfqws2::probe {

using Words = std::vector<std::string>;

// A running program; the end of the object is its end.
class Process {
  public:
    Process() = default;
    // Standard input is empty. It does not outlive this program, unless it becomes another user.
    Process(const Words& words, int output, int errors);
    Process(Process&& o) noexcept : pid_(std::exchange(o.pid_, -1)) {}
    Process& operator=(Process&& o) noexcept;
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process() { stop(); }

    pid_t pid() const { return pid_; } // -1: none
    bool alive();
    void stop();
    int wait(); // the exit code; of one that a signal has ended 128 and more

  private:
    pid_t pid_ = -1;
    int status_ = 0;
};

} // namespace nfqws2::probe
