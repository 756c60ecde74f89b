// Which strategies come next, and which once more.
#pragma once

#include "item.hpp"
#include "pace.hpp"
#include "slot.hpp"

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

namespace nfqws2::probe {

// Those that were not connected are asked again in rounds, before all others if they were so many
// that there may be too many connections, else when no other is left (pace.hpp).
class Agenda {
  public:
    Agenda(std::vector<Item>& items, const Pace& pace) : items_(items), pace_(pace) {}

    void add(std::size_t index) { waiting_.push_back(index); }
    // Within its round, which does not end without it.
    void again(std::size_t index) { (in_round() ? round_ : waiting_).push_front(index); }

    // The first one, and others that one daemon can have beside it. Empty: none, or they have to
    // wait for a round.
    Indices choose(std::size_t most);
    // No other may begin before those that were not connected were asked again.
    bool holds() const { return crowded_ && !in_round(); }
    std::size_t at_once() const { return pace_.now(); }
    const Pace& pace() const { return pace_; }
    bool is_empty() const;

    // May it be that a failure lies in too many connections?
    bool doubts() const { return in_round() || pace_.doubts(); }
    void set_aside(std::size_t index) { unconnected_.push_back(index); } // not connected
    // How a group went: so many, of which so many were set aside; whether this machine kept up.
    void note(std::size_t all, std::size_t unconnected, bool kept_up);
    // It is not to be asked again, whatever its round says.
    void leave_round() { pace_.leave_round(); }
    // When nothing runs: begins the next round, if there shall be one.
    void change_round();

    const std::string& said() const { return said_; } // for the user

  private:
    using Queue = std::deque<std::size_t>;

    bool in_round() const { return !round_.empty() || round_runs_; }
    bool round_helps();

    std::vector<Item>& items_;
    Pace pace_;
    Queue waiting_;
    Queue round_; // asked again, before all others
    Indices unconnected_;
    bool round_runs_ = false;
    bool crowded_ = false; // a round first
    std::string said_;
};

} // namespace nfqws2::probe
