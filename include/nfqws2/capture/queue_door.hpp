// Queues that a script owns itself (module nfq): packets are pulled one at a time, since a script
// that fails or ends may leave the rest to the next one who asks. Live it is the kernel's queues,
// offline a capture.
#pragma once

#include "nfqws2/capture/packet_io.hpp"

#include <cstdint>
#include <memory>

namespace nfqws2::capture {

enum class CopyMode : std::uint8_t { none, meta, packet }; // as the kernel counts them

struct QueuedPacket {
    InputPacket input; // data is empty where only facts were asked for
    std::uint16_t queue = 0;
    std::uint8_t hook = 0;
    std::uint32_t length = 0; // of the whole packet
    Bytes whole;              // what there is of it, whatever the script wants to see
    Bytes hardware_address;   // of the sender, may be empty
};

// One socket with any number of queues. Numbers that are returned are 0 or an errno.
class QueueHandle {
  public:
    enum class Next : std::uint8_t { packet, nothing, closed, failed };

    virtual ~QueueHandle() = default; // what the kernel holds passes
    virtual int fd() const = 0;       // -1: packets come from a capture
    virtual int bind_family(std::uint16_t family, bool bind) = 0;
    virtual int create(std::uint16_t queue) = 0;
    virtual int set_mode(std::uint16_t queue, CopyMode mode, std::uint16_t range) = 0;
    virtual void destroy(std::uint16_t queue) = 0; // what it holds passes

    // The next packet; never waits. Before it reports anything else, verdicts have left. A packet
    // is good until the next call and wants one answer.
    virtual Next next(QueuedPacket& packet) = 0;
    virtual int error() const = 0; // why next() failed
    virtual void answer(const QueuedPacket& packet, const Verdict& verdict) = 0;
    virtual void flush() = 0; // verdicts leave
};

class QueueDoor {
  public:
    virtual ~QueueDoor() = default;
    // nullptr: *error is an errno. The door has to live longer.
    virtual std::unique_ptr<QueueHandle> open(int* error) = 0;
    // The process is about to end, maybe within a callback: what all handles hold passes.
    virtual void release() = 0;
};

} // namespace nfqws2::capture
