// Local ports in turn, so that one comes back only when all on the way have forgotten it.
#pragma once

#include "options.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace nfqws2::probe {

class Ports {
  public:
    // Begins with `next` if that is one of the range.
    Ports(const Range& range, bool ipv6, std::uint32_t next);

    // So many that nobody has now, near to each other; empty if they cannot be had.
    std::vector<std::uint16_t> take(std::size_t count);
    std::uint32_t next() const { return next_; }
    std::size_t size() const { return range_.last - range_.first + 1U; }

  private:
    bool is_free(std::uint32_t port) const;

    Range range_;
    bool ipv6_;
    std::uint32_t next_;
};

// FIRST-LAST of ports in rising order.
std::string range_text(const std::vector<std::uint16_t>& ports);

} // namespace nfqws2::probe
