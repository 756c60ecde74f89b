// The clock of the process: the kernel's, or in offline mode a virtual one. It exists before the
// command line is parsed, so the choice is made later.
#pragma once

#include "nfqws2/base/clock.hpp"

#include <optional>

namespace nfqws2::app {

class ProcessClock final : public Clock {
  public:
    void go_virtual(std::int64_t unix_ns) { virtual_.emplace(unix_ns); }
    void advance_to(std::int64_t unix_ns) {
        if (virtual_) virtual_->advance_to(unix_ns);
    }
    std::int64_t boot_ns() const override {
        return virtual_ ? virtual_->boot_ns() : real_.boot_ns();
    }
    std::int64_t unix_ns() const override {
        return virtual_ ? virtual_->unix_ns() : real_.unix_ns();
    }

  private:
    RealClock real_;
    std::optional<VirtualClock> virtual_;
};

} // namespace nfqws2::app
