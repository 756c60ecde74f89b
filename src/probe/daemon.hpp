// nfqws2 under test.
#pragma once

#include "options.hpp"
#include "process.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace nfqws2::probe {

// What an error output tells. Text of others: one line each, printable.
std::string last_words(std::string_view log);
// The first Lua error of each profile, by the number of the profile.
std::map<std::size_t, std::string> lua_errors(std::string_view log);

// Why one is given up that neither takes packets nor ends.
constexpr const char* no_start = "nfqws2 neither starts nor ends";

// Would it start with these words? `why` becomes its last words if not, or that it hangs.
bool is_valid(const Options& options, const Words& words, std::string& why);

class Daemon {
  public:
    // Of a slot: its files in the folder of the run are named after it.
    Daemon(const Options& options, std::size_t slot, std::uint16_t queue);

    void start(const Words& words);
    enum class State { none, starting, ready, dead };
    State look(); // for what has changed
    bool alive() { return process_.alive(); }
    void stop();
    std::string log() const; // its error output

  private:
    using Clock = std::chrono::steady_clock;

    const Options& options_;
    std::uint16_t queue_;
    std::string log_;  // file
    std::string note_; // file with its number, for those who clean up after this program
    Process process_;
    State state_ = State::none;
    Clock::time_point begin_;
};

} // namespace nfqws2::probe
