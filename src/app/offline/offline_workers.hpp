// All workers of an offline run in one thread: packets are dealt to them as the kernel's balancing
// deals them to queues, one at a time and in order, so the result is the same in every run.
#pragma once

#include "run/workers.hpp"

#include <cstdint>
#include <optional>

namespace nfqws2::app {

// The worker for a packet: the same for both directions between two hosts.
unsigned worker_for(Bytes packet, unsigned workers);

class OfflineWorkers {
  public:
    explicit OfflineWorkers(Workers& workers) : workers_(workers) {}

    capture::Verdict on_packet(const capture::InputPacket& packet);
    bool wants_frames() const; // one of them
    void do_requests();
    void run_timers();
    void release_held();

    int next_wakeup_ms() const; // -1 = none
    std::int64_t next_oneshot_ms() const;
    std::size_t held() const;
    std::size_t flows() const;
    engine::Counters counters() const;
    std::optional<std::uint64_t> rules_dropped() const; // with --rules

  private:
    template <typename Action> void each(const Action& action) const;

    Workers& workers_;
};

} // namespace nfqws2::app
