// Gives the pages of a flood of held packets back to the system. glibc keeps what is free below the
// highest block in use, which after a flood is most of the heap.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace nfqws2::flow {

class HeapTrim {
  public:
    // `max_held`: bytes that can be held at most.
    explicit HeapTrim(std::size_t max_held) : worth_it_(std::max(max_held / 16, least)) {}

    void note(std::size_t held_bytes, std::int64_t now_ns) {
        if (held_bytes < worth_it_) return;
        calm_at_ns_ = now_ns;
        round_ = 0;
    }
    // Cheap unless a round is due.
    void run(std::int64_t now_ns) {
        if (now_ns >= next_ns()) trim();
    }
    // When run() has something to do.
    std::int64_t next_ns() const {
        return round_ < rounds ? calm_at_ns_ + (first_pause_ns << round_) : never;
    }
    static constexpr std::int64_t never = INT64_MAX;

  private:
    void trim();

    // Whole pages come free only when the flows have expired too, at times unknown here: six
    // rounds, 10 s to 320 s after the last moment of much memory. One takes 0.5 ms for each
    // megabyte it frees.
    static constexpr std::int64_t first_pause_ns = 10'000'000'000;
    static constexpr int rounds = 6;
    static constexpr std::size_t least = 256 * 1024;

    std::size_t worth_it_;
    std::int64_t calm_at_ns_ = 0;
    int round_ = rounds;
};

} // namespace nfqws2::flow
