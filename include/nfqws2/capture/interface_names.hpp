// Interface index -> name without a system call per packet. An entry lives until the kernel tells
// of a change of that link; if it cannot be asked to tell, entries live for one check interval.
#pragma once

#include "nfqws2/base/bytes.hpp"
#include "nfqws2/base/file.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nfqws2::capture {

class InterfaceNames {
  public:
    void open(); // starts to listen for link changes; a failure is logged only
    void close();

    // Forgets what changed; cheap enough for every batch (looks at the socket at most every 50 ms).
    void refresh();
    // "" for index 0 and for an unknown one (logged once). Valid until the next refresh().
    std::string_view name(std::uint32_t index);
    // Hardware address of Ethernet and its like; empty for others. As long valid.
    Bytes address(std::uint32_t index);

  private:
    void forget_all();
    void read_changes();
    std::string_view look_up(std::uint32_t index);

    FileDescriptor events_;
    std::int64_t next_check_ms_ = 0;
    std::unordered_map<std::uint32_t, std::string> names_;
    std::unordered_map<std::uint32_t, std::vector<std::uint8_t>> addresses_; // if asked for
    // The last two answers, since most packets come and go through the same pair of interfaces.
    struct Recent {
        std::uint32_t index = 0;
        std::string_view name;
    } recent_[2];
};

} // namespace nfqws2::capture
