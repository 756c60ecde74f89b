// Gives the pages of a flood of held packets back to the system. glibc keeps what is free below the
// highest block in use, which after a flood is most of the heap.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nfqws2::flow {

class HeapTrim {
  public:
    void note(std::size_t held_bytes, std::int64_t now_ns) {
        if (held_bytes < worth_it) return;
        calm_at_ns_ = now_ns;
        round_ = 0;
    }
    // Cheap unless a round is due.
    void run(std::int64_t now_ns) {
        if (round_ < rounds && now_ns - calm_at_ns_ >= first_pause_ns << round_) trim();
    }

  private:
    void trim();

    // Whole pages come free only when the flows have expired too, at times unknown here: six
    // rounds, 10 s to 320 s after the last moment of much memory. One takes 0.5 ms for each
    // megabyte it frees.
    static constexpr std::size_t worth_it = 4 * 1024 * 1024;
    static constexpr std::int64_t first_pause_ns = 10'000'000'000;
    static constexpr int rounds = 6;

    std::int64_t calm_at_ns_ = 0;
    int round_ = rounds;
};

} // namespace nfqws2::flow
