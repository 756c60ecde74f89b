// Hears all messages of the process while there is a control socket: the last errors are kept, and
// whoever listens live gets every line.
#pragma once

#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/log.hpp"
#include "run/bell.hpp"

#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace nfqws2::app {

class LogKeeper final : public log::Listener {
  public:
    struct Message {
        std::int64_t unix_s = 0;
        std::string text;
    };
    struct Line {
        Level level = Level::status;
        std::string text;
    };
    static constexpr std::size_t kept_messages = 16;

    explicit LogKeeper(const Clock& clock);
    ~LogKeeper() override;
    LogKeeper(const LogKeeper&) = delete;
    LogKeeper& operator=(const LogKeeper&) = delete;

    void heard(Level level, std::string_view line) override;

    std::uint64_t errors() const;
    std::vector<Message> messages() const; // the last errors, the newest last

    // Somebody who listens; the lines of all are bounded together.
    class Ear {
      public:
        // `bell` rings when there is something to hear.
        Ear(LogKeeper& keeper, const Bell& bell, bool debug);
        ~Ear();
        Ear(const Ear&) = delete;
        Ear& operator=(const Ear&) = delete;

        // At most so many lines; *lost counts those that were not taken in time.
        std::vector<Line> take(std::size_t most, std::uint64_t* lost);

      private:
        friend class LogKeeper;
        LogKeeper& keeper_;
        const Bell& bell_;
        const bool debug_;
        // Under the keeper's lock.
        std::deque<Line> lines_;
        std::size_t bytes_ = 0;
        std::uint64_t lost_ = 0;
    };

  private:
    void settle_debug();

    const Clock& clock_;
    mutable std::mutex mutex_;
    std::uint64_t errors_ = 0;
    std::deque<Message> messages_;
    std::vector<Ear*> ears_;
};

} // namespace nfqws2::app
