// The kernel's queues for scripts that own theirs, see queue_door.hpp.
#pragma once

#include "nfqws2/capture/queue_door.hpp"

#include <vector>

namespace nfqws2::capture {

class LiveQueueHandle;

class LiveQueues final : public QueueDoor {
  public:
    std::unique_ptr<QueueHandle> open(int* error) override;
    // Sends the verdicts that are held back: a raw sender calls it first (order on the wire).
    void flush();

  private:
    friend class LiveQueueHandle;
    std::vector<LiveQueueHandle*> handles_;
};

} // namespace nfqws2::capture
