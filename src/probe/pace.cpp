#include "pace.hpp"

#include <algorithm>

namespace nfqws2::probe {

namespace {

// Fewer than this share, and it is chance.
constexpr std::size_t few = 16;
// More than this share, and it is no chance.
constexpr std::size_t many = 4;
// Of so many nothing can be concluded.
constexpr std::size_t some = 8;
// So many every machine can.
constexpr std::uint32_t enough = 4;

} // namespace

Pace::Pace(std::uint32_t most, std::uint32_t limit, std::uint32_t trust)
    : most_(most), limit_(std::clamp(limit, 1U, most)), trust_(std::min(trust, most_trust)) {
}

bool Pace::note(std::size_t all, std::size_t unconnected, bool kept_up) {
    if (!kept_up) {
        limit_ = std::max(limit_ - limit_ / 4, std::min(limit_, enough));
    }
    if (round_ != 0) {
        return false;
    }
    if (unconnected * few <= all) {
        limit_ = kept_up ? std::min(most_, limit_ + (limit_ + 3) / 4) : limit_;
        trust_ = std::min(most_trust, trust_ + (unconnected == 0 ? 1 : 0));
        return false;
    }
    const bool crowded = unconnected * many > all && doubts();
    crowded_ = crowded_ || crowded;
    return crowded;
}

void Pace::begin_round(std::size_t all) {
    round_ = std::max(1U, now() / 2);
    asked_ = all;
}

bool Pace::end_round(std::size_t left, std::size_t refused) {
    const std::size_t connected = asked_ - left;
    const bool helped = connected * many > std::min<std::size_t>(asked_, round_);
    trust_ -= helped || asked_ == 0 ? 0 : 1;
    if (helped && crowded_ && left * many <= asked_) {
        limit_ = round_;
        crowded_ = false;
    }
    const bool unclear = refused > 0 && trust_ > 0 && (asked_ <= some || connected > 0);
    if (left > 0 && round_ > 1 && (helped || unclear)) {
        return true;
    }
    round_ = 0;
    crowded_ = false;
    return false;
}

} // namespace nfqws2::probe
