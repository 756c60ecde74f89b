// Time is injected: live runs read the kernel's clocks, offline runs follow the capture's stamps.
#pragma once

#include <cstdint>

namespace nfqws2 {

inline constexpr std::int64_t second_ns = 1'000'000'000;

class Clock {
  public:
    virtual ~Clock() = default;
    virtual std::int64_t boot_ns() const = 0; // monotonic incl. suspend (CLOCK_BOOTTIME)
    virtual std::int64_t unix_ns() const = 0; // wall clock (CLOCK_REALTIME)

    std::int64_t boot_ms() const { return boot_ns() / 1'000'000; }
    std::int64_t boot_s() const { return boot_ns() / 1'000'000'000; }
    std::int64_t unix_s() const { return unix_ns() / 1'000'000'000; }
};

class RealClock final : public Clock {
  public:
    std::int64_t boot_ns() const override;
    std::int64_t unix_ns() const override;
};

// Stands still until advanced; never goes backwards. Both readings are the same value.
class VirtualClock final : public Clock {
  public:
    explicit VirtualClock(std::int64_t start_unix_ns = 0) : now_(start_unix_ns) {}
    void advance_to(std::int64_t unix_ns) {
        if (unix_ns > now_) now_ = unix_ns;
    }
    std::int64_t boot_ns() const override { return now_; }
    std::int64_t unix_ns() const override { return now_; }

  private:
    std::int64_t now_;
};

} // namespace nfqws2
