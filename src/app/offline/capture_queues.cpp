#include "offline/capture_queues.hpp"

#if NFQWS2_HAVE_PCAP

#include <algorithm>
#include <cerrno>
#include <map>

namespace nfqws2::app {

using capture::PcapSource;

class CaptureQueueHandle final : public capture::QueueHandle {
  public:
    explicit CaptureQueueHandle(CaptureQueues& door) : door_(door) {
        door_.handles_.push_back(this);
    }
    ~CaptureQueueHandle() override {
        std::erase(door_.handles_, this);
        if (door_.holder_ == this) door_.holder_ = nullptr;
    }
    CaptureQueueHandle(const CaptureQueueHandle&) = delete;
    CaptureQueueHandle& operator=(const CaptureQueueHandle&) = delete;

    int fd() const override { return -1; }
    int bind_family(std::uint16_t, bool) override { return 0; }
    int create(std::uint16_t queue) override;
    int set_mode(std::uint16_t queue, capture::CopyMode mode, std::uint16_t range) override;
    void destroy(std::uint16_t queue) override { queues_.erase(queue); }
    Next next(capture::QueuedPacket& packet) override;
    int error() const override { return EIO; } // the summary tells more
    void answer(const capture::QueuedPacket& packet, const capture::Verdict& verdict) override;
    void flush() override {}

    struct Mode {
        capture::CopyMode copy = capture::CopyMode::none;
        std::uint16_t range = 0;
    };
    const std::map<std::uint16_t, Mode>& queues() const { return queues_; }

  private:
    CaptureQueues& door_;
    std::map<std::uint16_t, Mode> queues_;
};

// As the kernel: a queue has one owner.
int CaptureQueueHandle::create(std::uint16_t queue) {
    for (const CaptureQueueHandle* handle : door_.handles_)
        if (handle->queues_.contains(queue)) return handle == this ? EBUSY : EPERM;
    queues_[queue] = {};
    return 0;
}

int CaptureQueueHandle::set_mode(std::uint16_t queue, capture::CopyMode mode, std::uint16_t range) {
    queues_[queue] = {mode, range};
    return 0;
}

capture::QueueHandle::Next CaptureQueueHandle::next(capture::QueuedPacket& packet) {
    std::uint16_t queue = 0;
    if (door_.holder_ != nullptr) return Next::closed; // from a callback: there is one packet
    if (door_.chosen(&queue) != this || !door_.next_stamp())
        return door_.failed() ? Next::failed : Next::closed;
    door_.fetched_ = false;
    door_.holder_ = this;
    door_.clock_.advance_to(door_.packet_.stamp_ns);
    packet = {};
    packet.input = door_.packet_.input;
    packet.whole = packet.input.data;
    packet.queue = queue;
    packet.length = static_cast<std::uint32_t>(packet.input.data.size());
    const Mode mode = queues_[queue];
    const std::size_t shown = mode.copy == capture::CopyMode::packet ? mode.range : 0;
    packet.input.data = packet.input.data.first(std::min(shown, packet.input.data.size()));
    return Next::packet;
}

// Not more than a part of the packet may have been shown.
void CaptureQueueHandle::answer(const capture::QueuedPacket&, const capture::Verdict& verdict) {
    if (door_.holder_ != this) return;
    door_.holder_ = nullptr;
    switch (verdict.action) {
    case capture::Action::modify:
        door_.sink_.modified(verdict.data);
        break;
    case capture::Action::drop:
        door_.dropped_++;
        break;
    case capture::Action::accept:
    case capture::Action::split:
        door_.sink_.accepted(door_.packet_.input.data);
        break;
    }
}

std::unique_ptr<capture::QueueHandle> CaptureQueues::open(int* error) {
    *error = 0;
    return std::make_unique<CaptureQueueHandle>(*this);
}

void CaptureQueues::release() {
    if (holder_ != nullptr) sink_.accepted(packet_.input.data);
    holder_ = nullptr;
    sink_.finish();
}

const CaptureQueueHandle* CaptureQueues::chosen(std::uint16_t* queue) const {
    const CaptureQueueHandle* found = nullptr;
    for (const CaptureQueueHandle* handle : handles_) {
        for (const auto& [number, mode] : handle->queues()) {
            if (mode.copy == capture::CopyMode::none) continue;
            if (found != nullptr && number >= *queue) break;
            found = handle;
            *queue = number;
            break;
        }
    }
    return found;
}

std::optional<std::int64_t> CaptureQueues::next_stamp() {
    if (!fetched_ && last_ == PcapSource::Next::packet) {
        last_ = source_.next(packet_);
        fetched_ = last_ == PcapSource::Next::packet;
    }
    if (!fetched_) return std::nullopt;
    return packet_.stamp_ns;
}

} // namespace nfqws2::app

#endif
