// The last hour of a daemon: counters taken every few seconds, and those who wait for the next
// ones.
#pragma once

#include "json.hpp"

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

namespace nfqws2::ctl {

// What the page draws of the answers to `counters` and `status`; `at`: seconds of a clock.
Json make_sample(const std::vector<Json>& counters, const std::vector<Json>& status, double at);

class History {
  public:
    static constexpr std::size_t most = 720; // an hour at every 5 seconds

    // A sample, or that the daemon did not answer.
    void add(std::optional<Json> sample);
    Json all() const;
    // Waits at most so long for what was added after number `seen`, which becomes that of the
    // result: null if the daemon was gone; nothing if nothing was added.
    std::optional<Json> next(std::uint64_t& seen, std::chrono::milliseconds most_time) const;
    std::uint64_t number() const;

  private:
    mutable std::mutex mutex_;
    mutable std::condition_variable added_;
    std::deque<Json> samples_;
    Json last_;
    std::uint64_t number_ = 0;
};

} // namespace nfqws2::ctl
