// The queues of a script (module nfq) offline: the one with the lowest number that has a mode sees
// every packet of the capture, the others none.
#pragma once

#if NFQWS2_HAVE_PCAP

#include "nfqws2/capture/pcap_sink.hpp"
#include "nfqws2/capture/pcap_source.hpp"
#include "nfqws2/capture/queue_door.hpp"
#include "run/process_clock.hpp"

#include <optional>
#include <vector>

namespace nfqws2::app {

class CaptureQueueHandle;

class CaptureQueues final : public capture::QueueDoor {
  public:
    CaptureQueues(capture::PcapSource& source, capture::PcapSink& sink, ProcessClock& clock)
        : source_(source), sink_(sink), clock_(clock) {}

    std::unique_ptr<capture::QueueHandle> open(int* error) override;
    void release() override;

    // When the next packet comes; nullopt: no more will.
    std::optional<std::int64_t> next_stamp();
    bool failed() const { return last_ == capture::PcapSource::Next::error; }
    std::uint64_t dropped() const { return dropped_; }

  private:
    friend class CaptureQueueHandle;
    // The handle and the queue that see packets.
    const CaptureQueueHandle* chosen(std::uint16_t* queue) const;

    capture::PcapSource& source_;
    capture::PcapSink& sink_;
    ProcessClock& clock_;
    capture::PcapSource::Packet packet_;
    capture::PcapSource::Next last_ = capture::PcapSource::Next::packet;
    bool fetched_ = false;                       // packet_ waits for its queue
    const CaptureQueueHandle* holder_ = nullptr; // whose answer packet_ wants
    std::uint64_t dropped_ = 0;
    std::vector<const CaptureQueueHandle*> handles_;
};

} // namespace nfqws2::app

#endif
