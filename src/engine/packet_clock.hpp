// The time of the packet in hand. One reading of the real clock serves everybody who looks at it on
// the packet's way: on systems where the clock is a system call each further one would cost more
// than the look-up it is for. Scripts see the real clock.
#pragma once

#include "nfqws2/base/clock.hpp"

namespace nfqws2::engine {

class PacketClock final : public Clock {
  public:
    explicit PacketClock(const Clock& source) : source_(source) { update(); }
    void update() { now_ = source_.boot_ns(); }
    std::int64_t boot_ns() const override { return now_; }
    std::int64_t unix_ns() const override { return source_.unix_ns(); }

  private:
    const Clock& source_;
    std::int64_t now_ = 0;
};

} // namespace nfqws2::engine
