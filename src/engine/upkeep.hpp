// What is looked at now and then while packets come.
#pragma once

#include "nfqws2/base/memory_budget.hpp"
#include "nfqws2/lua/guard.hpp"
#include "nfqws2/profile/list_store.hpp"
#include "packet_clock.hpp"

#include <algorithm>

namespace nfqws2::engine {

class Upkeep {
  public:
    Upkeep(const PacketClock& now, profile::ListStore& lists, const lua::Guard& guard,
           MemoryBudget* memory)
        : now_(now), lists_(lists), guard_(guard), blobs_(memory, MemoryBudget::Part::blobs),
          lua_(memory, MemoryBudget::Part::lua) {}

    // Blobs are a part of what Lua has, and counted by themselves.
    void count_blobs(std::size_t bytes) { blobs_.set(blob_bytes_ = bytes); }

    // Changed list files are looked for once per second; a finished load is taken over by the next
    // search for a profile, or here.
    void look() {
        constexpr std::int64_t interval_ns = 10'000'000;
        if (now_.boot_ns() < next_ns_) return;
        next_ns_ = now_.boot_ns() + interval_ns;
        const std::size_t lua = guard_.used();
        lua_.set(lua - std::min(lua, blob_bytes_));
        lists_.poll();
    }

  private:
    const PacketClock& now_;
    profile::ListStore& lists_;
    const lua::Guard& guard_;
    MemoryShare blobs_, lua_;
    std::size_t blob_bytes_ = 0;
    std::int64_t next_ns_ = 0;
};

} // namespace nfqws2::engine
