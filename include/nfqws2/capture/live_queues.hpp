// The kernel's queues for scripts that own theirs, see queue_door.hpp.
#pragma once

#include "nfqws2/capture/queue_door.hpp"

#include <vector>

namespace nfqws2::capture {

class LiveQueueHandle;

class LiveQueues final : public QueueDoor {
  public:
    struct Options {
        bool connections = false; // the kernel adds what it knows of them to packets
        // Queues of the program itself, which no script may take, not even before it opens them.
        std::uint16_t first_taken = 0;
        unsigned taken = 0;
    };
    explicit LiveQueues(const Options& options) : options_(options) {}
    std::unique_ptr<QueueHandle> open(int* error) override;
    // Sends the verdicts that are held back: a raw sender calls it first (order on the wire).
    void flush();
    void release() override;

  private:
    friend class LiveQueueHandle;
    bool is_taken(std::uint16_t queue) const {
        return queue >= options_.first_taken && queue < options_.first_taken + options_.taken;
    }

    const Options options_;
    std::vector<LiveQueueHandle*> handles_;
};

} // namespace nfqws2::capture
