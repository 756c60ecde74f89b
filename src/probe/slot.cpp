#include "slot.hpp"

#include <algorithm>
#include <utility>

namespace nfqws2::probe {

namespace {

// The last packets of connections shall find the daemon: a server that misses them keeps the
// connection.
constexpr std::chrono::milliseconds time_to_close(40);
// Ports of connections whose end one side has missed rest for a minute or two.
constexpr std::chrono::milliseconds time_to_rest(250);
constexpr std::chrono::minutes longest_rest(3);

} // namespace

Slot::Slot(const Options& options, std::size_t number, bool ipv6, std::uint32_t next_port)
    : options_(options), ports_(options.ranges[number], ipv6, next_port),
      daemon_(options, number, options.ranges[number].queue) {
}

std::size_t Slot::most() const {
    return std::max<std::size_t>(1, ports_.size() / 2 / options_.repeats);
}

Indices Slot::start(std::vector<Item>& items, const Indices& group) {
    Indices without_ports;
    for (const std::size_t index : group) {
        Item& item = items[index];
        item.attempts.clear();
        item.error_text.clear();
        item.ports = ports_.take(options_.repeats);
        (item.ports.empty() ? without_ports : group_).push_back(index);
    }
    began_ = Clock::now();
    if (!group_.empty()) {
        without_ports_.reset();
        asking_ = false;
        asked_ = 0;
        open_ = group_.size();
        deafness_ = std::chrono::milliseconds(0);
        daemon_.start(words_of(items));
    }
    if (!without_ports.empty()) {
        rests_until_ = began_ + time_to_rest;
        without_ports_ = without_ports_.value_or(began_);
    }
    return without_ports;
}

bool Slot::has_no_ports() const {
    return without_ports_ && Clock::now() - *without_ports_ > longest_rest;
}

Words Slot::words_of(const std::vector<Item>& items) {
    const Strategy& first = items[group_.front()].strategy;
    owners_.clear();
    if (first.alone) {
        owners_.assign(1, group_.front());
        return first.words;
    }
    Words words = first.global;
    for (const std::size_t index : group_) {
        std::size_t count = 0;
        const Words own = items[index].strategy.profiles(range_text(items[index].ports), count);
        if (!owners_.empty()) {
            words.emplace_back("--new");
        }
        words.insert(words.end(), own.begin(), own.end());
        owners_.insert(owners_.end(), count, index);
    }
    return words;
}

Daemon::State Slot::look() {
    const Daemon::State state = daemon_.look();
    asking_ = asking_ || state == Daemon::State::ready;
    return state;
}

void Slot::answered() {
    if (--open_ == 0) {
        answered_ = Clock::now();
    }
}

bool Slot::is_over() const {
    return waits_for_end() && Clock::now() - answered_ >= time_to_close;
}

void Slot::note_deafness(std::chrono::milliseconds time) {
    deafness_ = asking_ ? std::max(deafness_, time) : deafness_;
}

void Slot::stop(std::vector<Item>& items) {
    const std::string log = daemon_.log();
    daemon_.stop();
    for (const auto& [profile, text] : lua_errors(log)) {
        if (profile >= 1 && profile <= owners_.size()) {
            Item& item = items[owners_[profile - 1]];
            item.error_text = item.error_text.empty() ? text : item.error_text;
        }
    }
}

Indices Slot::take_group() {
    asking_ = false;
    return std::exchange(group_, {});
}

} // namespace nfqws2::probe
