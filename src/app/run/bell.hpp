// Wakes a loop that waits for packets: a descriptor beside the one of the queue. What rings before
// the loop waits is not lost.
#pragma once

#include "nfqws2/base/file.hpp"

#include <poll.h>
#include <span>

namespace nfqws2::app {

class Bell {
  public:
    Bell(); // a failure is logged

    void ring() const; // from any thread or signal handler
    // Something comes in there: it rings as long as nobody takes it.
    void ring_for(int fd) { door_ = fd; }

    // Sleeps until `timeout_ms` have passed (-1 = no limit), it rang or `fd` (-1 = none) is
    // readable; true in the last case.
    bool wait(int fd, int timeout_ms);
    static constexpr std::size_t most_others = 64;
    // The same, or one of a few other descriptors is ready, in which it is noted.
    bool wait(int fd, int timeout_ms, std::span<pollfd> others);

  private:
    void fall_silent() const;

    FileDescriptor event_;
    int door_ = -1;
};

} // namespace nfqws2::app
