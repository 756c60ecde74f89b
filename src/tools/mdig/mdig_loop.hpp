// mdig in one thread: as many names are on their way to the resolver at a time as --threads says,
// in slots that messages call threads. Input is pulled, never queued: memory depends on the number
// of slots only.
#pragma once

#include "mdig/mdig.hpp"
#include "mdig/mdig_intake.hpp"
#include "mdig/mdig_resolver.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace nfqws2::tools {

class ResolverLoop {
  public:
    ResolverLoop(const MdigOptions& options, AsyncResolver& resolver, LineReader& input,
                 int input_descriptor, MdigOutput& output);

    void run(); // until the input ends and every name is done

  private:
    using Clock = std::chrono::steady_clock;
    struct Slot {
        Batch batch;
        std::string domain; // on its way; empty: the slot is free
        unsigned attempts = 0;
        std::optional<Clock::time_point> asleep_until; // between two attempts
    };

    void fill();
    void wait();
    void ask(unsigned slot);
    void take_answer(AsyncResolver::Answer& answer);
    void finish(unsigned slot, bool success);
    void wake_sleepers();
    int milliseconds_to_sleep() const; // -1: nobody sleeps

    const MdigOptions& options_;
    AsyncResolver& resolver_;
    Intake intake_;
    const int input_descriptor_;
    MdigOutput& output_;
    std::vector<Slot> slots_;
    std::vector<unsigned> free_; // numbers of slots
    bool input_ended_ = false;
    std::vector<AsyncResolver::Answer> answers_;
};

} // namespace nfqws2::tools
