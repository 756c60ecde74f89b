// The kernel's queues for scripts that own theirs, see queue_door.hpp.
#pragma once

#include "nfqws2/capture/queue_door.hpp"

#include <vector>

namespace nfqws2::capture {

class LiveQueueHandle;

class LiveQueues final : public QueueDoor {
  public:
    // `connections`: the kernel adds what it knows of them to packets.
    explicit LiveQueues(bool connections = false) : connections_(connections) {}
    std::unique_ptr<QueueHandle> open(int* error) override;
    // Sends the verdicts that are held back: a raw sender calls it first (order on the wire).
    void flush();
    void release() override;

  private:
    friend class LiveQueueHandle;
    const bool connections_;
    std::vector<LiveQueueHandle*> handles_;
};

} // namespace nfqws2::capture
