// A daemon with a queue and local ports of its own, and the strategies that it has at a time.
#pragma once

#include "daemon.hpp"
#include "item.hpp"
#include "options.hpp"
#include "ports.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nfqws2::probe {

// Numbers of items.
using Indices = std::vector<std::size_t>;

class Slot {
  public:
    using Clock = std::chrono::steady_clock;

    Slot(const Options& options, std::size_t number, bool ipv6, std::uint32_t next_port);

    // Most items of a group: half of the ports rest.
    std::size_t most() const;
    bool is_free() const { return group_.empty() && Clock::now() >= rests_until_; }
    bool has_group() const { return !group_.empty(); }
    const Indices& group() const { return group_; }
    std::uint32_t next_port() const { return ports_.next(); }

    // Gives them ports and starts the daemon, with profiles for them. Returns those for which there
    // are no ports now: then the slot rests a little.
    Indices start(std::vector<Item>& items, const Indices& group);
    // There were none for so long that it is no use to wait any more.
    bool has_no_ports() const;

    // For a change of the daemon. ready: once, when its questions may begin.
    Daemon::State look();
    bool is_starting() const { return has_group() && !asking_; }
    Clock::time_point began() const { return began_; }

    bool has_questions() const { return asking_ && asked_ < group_.size(); }
    std::size_t next() { return group_[asked_++]; }   // the item to ask for next
    bool is_untouched() const { return asked_ == 0; } // nothing was asked for yet
    bool is_asking() const { return asking_; }
    void answered(); // one item has all of its answers
    // All have them, and the last packets are on their way.
    bool waits_for_end() const { return asking_ && open_ == 0; }
    bool is_over() const;

    // The program did not listen to connections for so long: what it takes for time-outs may be
    // answers that came meanwhile.
    void note_deafness(std::chrono::milliseconds time);
    std::chrono::milliseconds deafness() const { return deafness_; }

    bool daemon_alive() { return daemon_.alive(); }
    std::string log() const { return daemon_.log(); }
    // Stops the daemon. The items of its profiles get the Lua errors of its log.
    void stop(std::vector<Item>& items);
    // Stops it without a look at the log.
    void drop() { daemon_.stop(); }
    Indices take_group(); // then the slot is free

  private:
    Words words_of(const std::vector<Item>& items);

    const Options& options_;
    Ports ports_;
    Daemon daemon_;
    Indices group_;
    Indices owners_;        // of the profiles, in their order
    std::size_t asked_ = 0; // of the group, from its beginning
    std::size_t open_ = 0;  // without all of their answers
    bool asking_ = false;
    Clock::time_point began_;
    Clock::time_point answered_; // the last one
    std::chrono::milliseconds deafness_{0};
    Clock::time_point rests_until_;
    std::optional<Clock::time_point> without_ports_; // since then
};

} // namespace nfqws2::probe
