#include "agenda.hpp"

#include <algorithm>

namespace nfqws2::probe {

namespace {

// Words for the whole process are shared by those that have the same.
bool stand_together(const Strategy& one, const Strategy& other) {
    return !one.alone && !other.alone && one.global == other.global;
}

} // namespace

Indices Agenda::choose(std::size_t most) {
    Indices group;
    if (holds()) {
        return group;
    }
    Queue& queue = in_round() ? round_ : waiting_;
    Queue left;
    for (; !queue.empty() && group.size() < most; queue.pop_front()) {
        const Item& item = items_[queue.front()];
        const std::size_t limit = std::min(most, item.crowd);
        if (group.size() < limit &&
            (group.empty() || stand_together(items_[group.front()].strategy, item.strategy))) {
            most = limit;
            group.push_back(queue.front());
        } else {
            left.push_back(queue.front());
        }
    }
    queue.insert(queue.begin(), left.begin(), left.end());
    return group;
}

bool Agenda::is_empty() const {
    return !in_round() && waiting_.empty() && unconnected_.empty();
}

void Agenda::note(std::size_t all, std::size_t unconnected, bool kept_up) {
    crowded_ = pace_.note(all, unconnected, kept_up) || crowded_;
}

// Of the round that is over. Those that were not connected in it are set aside again.
bool Agenda::round_helps() {
    const std::uint32_t before = pace_.limit();
    const auto refused =
        std::count_if(unconnected_.begin(), unconnected_.end(),
                      [this](std::size_t index) { return items_[index].code() == code_refused; });
    const bool helps = pace_.end_round(unconnected_.size(), static_cast<std::size_t>(refused));
    if (pace_.limit() < before) {
        said_ = "the server refused connections. now " + std::to_string(pace_.limit()) +
                " strategies at the same time.";
    }
    return helps;
}

void Agenda::change_round() {
    if (!round_.empty()) {
        return;
    }
    if (round_runs_) {
        round_runs_ = round_helps();
    } else if (!unconnected_.empty() && (waiting_.empty() || crowded_)) {
        round_runs_ = pace_.doubts();
    } else {
        return;
    }
    crowded_ = false;
    if (round_runs_) {
        pace_.begin_round(unconnected_.size());
        round_.assign(unconnected_.begin(), unconnected_.end());
    } else {
        for (const std::size_t index : unconnected_) {
            items_[index].done = true;
        }
    }
    unconnected_.clear();
}

} // namespace nfqws2::probe
