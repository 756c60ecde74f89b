#include "log_keeper.hpp"

#include <algorithm>

namespace nfqws2::app {
namespace {

constexpr std::size_t longest_kept = 1024;        // of an error
constexpr std::size_t most_waiting = 1024 * 1024; // bytes of lines for a slow listener

std::string_view without_ends(std::string_view line) {
    while (!line.empty() && line.back() == '\n')
        line.remove_suffix(1);
    while (!line.empty() && line.front() == '\n')
        line.remove_prefix(1);
    return line;
}

} // namespace

LogKeeper::LogKeeper(const Clock& clock) : clock_(clock) {
    log::set_listener(this);
}

LogKeeper::~LogKeeper() {
    log::set_listener(nullptr);
}

void LogKeeper::heard(Level level, std::string_view line) {
    line = without_ends(line);
    if (line.empty()) return;
    const std::lock_guard guard(mutex_);
    if (level == Level::error) {
        errors_++;
        if (messages_.size() == kept_messages) messages_.pop_front();
        messages_.push_back({clock_.unix_s(), std::string(line.substr(0, longest_kept))});
    }
    for (Ear* ear : ears_) {
        if (level == Level::debug && !ear->debug_) continue;
        if (ear->bytes_ + line.size() > most_waiting) {
            ear->lost_++;
            continue;
        }
        if (ear->lines_.empty()) ear->bell_.ring();
        ear->bytes_ += line.size() + sizeof(Line);
        ear->lines_.push_back({level, std::string(line)});
    }
}

std::uint64_t LogKeeper::errors() const {
    const std::lock_guard guard(mutex_);
    return errors_;
}

std::vector<LogKeeper::Message> LogKeeper::messages() const {
    const std::lock_guard guard(mutex_);
    return {messages_.begin(), messages_.end()};
}

// The log's lock is never wanted under ours, since heard() comes with it.
void LogKeeper::settle_debug() {
    bool wanted = false;
    {
        const std::lock_guard guard(mutex_);
        wanted = std::any_of(ears_.begin(), ears_.end(), [](const Ear* e) { return e->debug_; });
    }
    log::set_listener_wants_debug(wanted);
}

LogKeeper::Ear::Ear(LogKeeper& keeper, const Bell& bell, bool debug)
    : keeper_(keeper), bell_(bell), debug_(debug) {
    {
        const std::lock_guard guard(keeper_.mutex_);
        keeper_.ears_.push_back(this);
    }
    keeper_.settle_debug();
}

LogKeeper::Ear::~Ear() {
    {
        const std::lock_guard guard(keeper_.mutex_);
        std::erase(keeper_.ears_, this);
    }
    keeper_.settle_debug();
}

std::vector<LogKeeper::Line> LogKeeper::Ear::take(std::size_t most, std::uint64_t* lost) {
    const std::lock_guard guard(keeper_.mutex_);
    std::vector<Line> lines;
    while (!lines_.empty() && lines.size() < most) {
        bytes_ -= std::min(bytes_, lines_.front().text.size() + sizeof(Line));
        lines.push_back(std::move(lines_.front()));
        lines_.pop_front();
    }
    *lost = lost_;
    return lines;
}

} // namespace nfqws2::app
