#include "batch.hpp"

#include "daemon.hpp"
#include "item.hpp"
#include "lines.hpp"
#include "numbers.hpp"
#include "pace.hpp"
#include "ports.hpp"
#include "words.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <vector>

// Theory of operation. Each strategy becomes a profile of a daemon, told apart by --filter-lport,
// and its questions come from these local ports. There are four slots, each a daemon with its own
// queue and range of ports: 0 and 1 take turns with strategies without words for the whole process,
// 2 and 3 hold those with such words, all of a slot the same ones, or one that can only be alone.
// What a slot holds at a time is a group: one start of its daemon, and the questions of all its
// strategies. While one group waits for answers the next one begins in another slot.
//
// What cannot be judged after it is tried again: a local port that was in use after all, strategies
// of a daemon that died or did not start (in halves, until the guilty one is alone), connections
// that were not made, perhaps because there were too many (pace.hpp).

namespace nfqws2::probe {

namespace {

constexpr std::size_t slots = 4;
constexpr std::size_t small_slots = 2; // from this one on
constexpr unsigned most_port_tries = 8;
// Functions of results that a shell has at the same time: some look for a function one by one.
constexpr std::size_t piece = 64;
// What outlives a batch: the pace, and where the ports stand.
constexpr const char* pace_file = "/pace";
// The last packets of connections shall find the daemon: a server that misses them keeps the
// connection.
constexpr std::chrono::milliseconds time_to_close(40);
// Ports of connections whose end one side has missed rest for a minute or two.
constexpr std::chrono::milliseconds time_to_rest(250);
constexpr std::chrono::minutes longest_rest(3);

using Clock = std::chrono::steady_clock;

struct Slot {
    Slot(Ports own_ports, Daemon own_daemon) : ports(own_ports), daemon(std::move(own_daemon)) {}

    Ports ports;
    Daemon daemon;
    std::vector<std::size_t> group;  // items
    std::vector<std::size_t> owners; // of its profiles, in their order
    std::size_t open = 0;            // items without all of their answers
    bool asking = false;
    Clock::time_point answered; // the last question
    Clock::time_point rests_until;
    std::optional<Clock::time_point> without_ports; // since then

    bool waits_for_daemon() const { return !group.empty() && !asking; }
    bool waits_for_end() const { return asking && open == 0; }
};

class Batch {
  public:
    Batch(const Options& options, Asker& asker);
    void read(std::FILE* strategies);
    End run();
    bool write(std::FILE* results) const;

  private:
    using Queue = std::deque<std::size_t>;

    void keep() const;
    bool step();

    std::size_t running() const;
    bool idle() const;
    bool in_round() const { return !round_.empty() || round_runs_; }
    void change_round();

    void fill(std::size_t number);
    std::vector<std::size_t> choose(std::size_t number, std::size_t most);
    bool fits(const Item& item, std::size_t number, const Item* first) const;
    void start(Slot& slot, const std::vector<std::size_t>& group);
    void wait_for_ports(Slot& slot, const std::vector<std::size_t>& items);
    Words words_of(Slot& slot);
    void look(Slot& slot);
    void ask(std::size_t index, std::uint32_t number);
    void take(Answer& answer);
    bool has_more(const Item& item, std::uint32_t number) const;
    void end_group(Slot& slot);
    bool end_daemon(Slot& slot, std::string& log);
    void give_up(Slot& slot);
    void suspect(const std::vector<std::size_t>& items, const std::string& why, bool started);
    void again(std::size_t index);
    void finish(std::size_t index);
    void fail(std::size_t index, int code, std::string why);

    const Options& options_;
    Asker& asker_;
    Pace pace_;
    std::vector<Slot> slots_;
    std::vector<std::size_t> slot_of_; // of an item that runs
    std::vector<Item> items_;
    Queue waiting_;
    Queue unconnected_; // for the next round
    Queue round_;       // asked again, before all others
    bool round_runs_ = false;
    bool crowded_ = false; // a round first
    bool enough_ = false;
    std::string said_;
};

void Batch::keep() const {
    std::vector<std::uint32_t> numbers{pace_.limit(), pace_.trust()};
    for (const Slot& slot : slots_) {
        numbers.push_back(slot.ports.next());
    }
    write_numbers(options_.folder + pace_file, numbers);
}

Batch::Batch(const Options& options, Asker& asker)
    : options_(options), asker_(asker), pace_(options.parallel, options.parallel, most_trust) {
    auto state = read_numbers(options.folder + pace_file);
    if (state.size() == 2 + slots) {
        pace_ = Pace(options.parallel, state[0], state[1]);
    } else {
        state.assign(2 + slots, 0);
    }
    const bool ipv6 = options.addresses.front().find(':') != std::string::npos;
    slots_.reserve(slots);
    for (std::size_t n = 0; n < slots; ++n) {
        const Range& range = options.ranges[n];
        slots_.emplace_back(Ports(range, ipv6, state[2 + n]), Daemon(options, n, range.queue));
    }
}

void Batch::read(std::FILE* strategies) {
    Lines lines(strategies);
    std::string line;
    while (lines.next(line)) {
        Item item;
        if (auto strategy = read_strategy(line, options_.before, options_.behind)) {
            item.strategy = std::move(*strategy);
            waiting_.push_back(items_.size());
        } else {
            item.strategy.key = line; // gets no result
        }
        items_.push_back(std::move(item));
    }
    slot_of_.resize(items_.size());
}

// --- which strategies make the next group

std::size_t Batch::running() const {
    std::size_t count = 0;
    for (const Slot& slot : slots_) {
        count += slot.asking ? slot.open : slot.group.size();
    }
    return count;
}

bool Batch::idle() const {
    return std::all_of(slots_.begin(), slots_.end(),
                       [](const Slot& slot) { return slot.group.empty(); });
}

bool Batch::fits(const Item& item, std::size_t number, const Item* first) const {
    const Strategy& one = item.strategy;
    const bool special = one.alone || !one.global.empty();
    if (special != (number >= small_slots)) {
        return false;
    }
    return first == nullptr || (!one.alone && one.global == first->strategy.global);
}

std::vector<std::size_t> Batch::choose(std::size_t number, std::size_t most) {
    Queue& queue = in_round() ? round_ : waiting_;
    std::vector<std::size_t> group;
    Queue left;
    while (!queue.empty()) {
        const std::size_t index = queue.front();
        const Item& item = items_[index];
        const Item* const first = group.empty() ? nullptr : &items_[group.front()];
        const std::size_t limit = std::min(most, item.crowd);
        if (group.size() < limit && fits(item, number, first)) {
            most = limit;
            group.push_back(index);
            most = item.strategy.alone ? 1 : most;
        } else {
            left.push_back(index);
        }
        queue.pop_front();
    }
    queue.swap(left);
    return group;
}

void Batch::fill(std::size_t number) {
    Slot& slot = slots_[number];
    const std::size_t now = pace_.now();
    const std::size_t busy = running();
    if (!slot.group.empty() || busy >= now || (crowded_ && !in_round()) ||
        Clock::now() < slot.rests_until) {
        return;
    }
    // Two slots share what may run at once; half of the ports rest.
    const std::size_t share = (now + 1) / 2;
    const std::size_t ports = std::max<std::size_t>(1, slot.ports.size() / 2 / options_.repeats);
    const auto group = choose(number, std::min({now - busy, share, ports}));
    if (!group.empty()) {
        start(slot, group);
    }
}

void Batch::start(Slot& slot, const std::vector<std::size_t>& group) {
    std::vector<std::size_t> without_ports;
    for (const std::size_t index : group) {
        Item& item = items_[index];
        item.attempts.clear();
        item.error_text.clear();
        item.ports = slot.ports.take(options_.repeats);
        if (item.ports.empty()) {
            without_ports.push_back(index);
        } else {
            slot.group.push_back(index);
            slot_of_[index] = static_cast<std::size_t>(&slot - slots_.data());
        }
    }
    if (!slot.group.empty()) {
        slot.without_ports.reset();
        slot.daemon.start(words_of(slot));
        slot.asking = false;
    }
    if (!without_ports.empty()) {
        wait_for_ports(slot, without_ports);
    }
}

void Batch::wait_for_ports(Slot& slot, const std::vector<std::size_t>& items) {
    const auto now = Clock::now();
    slot.rests_until = now + time_to_rest;
    if (!slot.without_ports) {
        slot.without_ports = now;
    }
    const bool in_vain = now - *slot.without_ports > longest_rest;
    for (auto index = items.rbegin(); index != items.rend(); ++index) {
        if (in_vain) {
            fail(*index, code_daemon, "no local port is free");
        } else {
            again(*index);
        }
    }
}

Words Batch::words_of(Slot& slot) {
    const Strategy& first = items_[slot.group.front()].strategy;
    slot.owners.clear();
    if (first.alone) {
        slot.owners.assign(1, slot.group.front());
        return first.words;
    }
    Words words = first.global;
    for (const std::size_t index : slot.group) {
        std::size_t count = 0;
        const Words own = items_[index].strategy.profiles(range_text(items_[index].ports), count);
        if (!slot.owners.empty()) {
            words.emplace_back("--new");
        }
        words.insert(words.end(), own.begin(), own.end());
        slot.owners.insert(slot.owners.end(), count, index);
    }
    return words;
}

// --- asking

void Batch::look(Slot& slot) {
    if (slot.waits_for_end() && Clock::now() - slot.answered >= time_to_close) {
        end_group(slot);
    }
    if (!slot.waits_for_daemon()) {
        return;
    }
    switch (slot.daemon.look()) {
    case Daemon::State::ready:
        slot.asking = true;
        slot.open = slot.group.size();
        for (const std::size_t index : slot.group) {
            items_[index].attempts.reserve(options_.repeats);
            for (std::uint32_t n = 1; n <= (options_.at_once ? options_.repeats : 1); ++n) {
                ask(index, n);
            }
        }
        break;
    case Daemon::State::dead: {
        const auto group = std::move(slot.group);
        slot.group.clear();
        // One that hangs would do so again, while all others wait.
        const bool hangs = slot.daemon.alive();
        slot.daemon.stop();
        suspect(group, hangs ? no_start : last_words(slot.daemon.log()), hangs);
        break;
    }
    default:
        break;
    }
}

void Batch::ask(std::size_t index, std::uint32_t number) {
    const Item& item = items_[index];
    Question question;
    question.address = options_.addresses[index % options_.addresses.size()];
    question.protocol = item.strategy.protocol;
    question.place = item.strategy.place;
    question.owner = index;
    question.number = number;
    question.port = item.ports[number - 1];
    asker_.ask(question);
}

bool Batch::has_more(const Item& item, std::uint32_t number) const {
    if (options_.at_once) {
        return item.attempts.size() < options_.repeats;
    }
    return number < options_.repeats && !item.has(code_port) &&
           !(options_.stop_at_failure && item.code() != 0);
}

void Batch::take(Answer& answer) {
    Item& item = items_[answer.owner];
    item.attempts.push_back(std::move(answer.attempt));
    if (has_more(item, answer.number)) {
        if (!options_.at_once) {
            ask(answer.owner, answer.number + 1);
        }
        return;
    }
    if (options_.enough && item.code() == 0) {
        enough_ = true;
        return;
    }
    Slot& slot = slots_[slot_of_[answer.owner]];
    if (--slot.open == 0) {
        slot.answered = Clock::now();
    }
}

// --- judging

// Stops it. Its strategies get the Lua errors of its log. False: it was dead before.
bool Batch::end_daemon(Slot& slot, std::string& log) {
    const bool alive = slot.daemon.alive();
    log = slot.daemon.log();
    slot.daemon.stop();
    for (const auto& [profile, text] : lua_errors(log)) {
        if (profile >= 1 && profile <= slot.owners.size()) {
            Item& item = items_[slot.owners[profile - 1]];
            item.error_text = item.error_text.empty() ? text : item.error_text;
        }
    }
    return alive;
}

void Batch::end_group(Slot& slot) {
    std::string log;
    const bool alive = end_daemon(slot, log);
    const auto group = std::move(slot.group);
    slot.group.clear();
    slot.asking = false;
    std::vector<std::size_t> suspects;
    std::size_t unconnected = 0;
    for (const std::size_t index : group) {
        Item& item = items_[index];
        const bool bad = item.code() != 0;
        if (item.has(code_port) && item.port_tries++ < most_port_tries) {
            again(index);
        } else if (bad && !alive) {
            suspects.push_back(index);
        } else if (bad && !item.error_text.empty()) {
            fail(index, code_daemon, item.error_text);
        } else if (bad && !item.was_connected() && (in_round() || pace_.doubts())) {
            unconnected_.push_back(index);
            ++unconnected;
        } else {
            finish(index);
        }
    }
    crowded_ = pace_.note(group.size(), unconnected) || crowded_;
    if (!suspects.empty()) {
        suspect(suspects, last_words(log), true);
    }
}

// Ends it. Those that have all of their answers keep them; failures that would be looked into have
// no result.
void Batch::give_up(Slot& slot) {
    if (!slot.asking) {
        slot.daemon.stop();
        return;
    }
    std::string log;
    const bool alive = end_daemon(slot, log);
    for (const std::size_t index : slot.group) {
        const Item& item = items_[index];
        const bool whole = !item.attempts.empty() && !item.has(code_port) &&
                           !has_more(item, static_cast<std::uint32_t>(item.attempts.size()));
        const bool sure = alive && item.was_connected() && item.error_text.empty();
        if (whole && (item.code() == 0 || sure)) {
            finish(index);
        }
    }
}

// One of them has ended the daemon, or does not let it start.
void Batch::suspect(const std::vector<std::size_t>& items, const std::string& why, bool started) {
    if (items.size() > 1) {
        for (auto index = items.rbegin(); index != items.rend(); ++index) {
            items_[*index].crowd = items.size() / 2;
            again(*index);
        }
        return;
    }
    std::string text = why;
    const bool valid = started || is_valid(options_, items_[items.front()].strategy.words, text);
    fail(items.front(), valid ? code_daemon : code_invalid, text);
}

// Within its round, which does not end without it.
void Batch::again(std::size_t index) {
    (in_round() ? round_ : waiting_).push_front(index);
}

void Batch::finish(std::size_t index) {
    items_[index].done = true;
}

void Batch::fail(std::size_t index, int code, std::string why) {
    items_[index].error = code;
    items_[index].error_text = std::move(why);
    pace_.leave_round();
    finish(index);
}

// When nothing runs: those that were not connected are asked again, as long as that helps.
void Batch::change_round() {
    if (round_runs_) {
        const std::uint32_t before = pace_.limit();
        const auto refused =
            std::count_if(unconnected_.begin(), unconnected_.end(), [this](std::size_t index) {
                return items_[index].code() == code_refused;
            });
        round_runs_ = pace_.end_round(unconnected_.size(), static_cast<std::size_t>(refused));
        if (pace_.limit() < before) {
            said_ = "the server refused connections. now " + std::to_string(pace_.limit()) +
                    " strategies at the same time.";
        }
    } else if (!unconnected_.empty() && (waiting_.empty() || crowded_)) {
        round_runs_ = pace_.doubts();
    } else {
        return;
    }
    crowded_ = false;
    if (round_runs_) {
        pace_.begin_round(unconnected_.size());
        round_.swap(unconnected_);
    }
    for (const std::size_t index : unconnected_) {
        finish(index);
    }
    unconnected_.clear();
}

// False when there is nothing left to do.
bool Batch::step() {
    if (idle() && round_.empty()) {
        change_round();
    }
    for (std::size_t n = 0; n < slots; ++n) {
        look(slots_[n]);
        fill(n);
    }
    return !idle() || !round_.empty() || !waiting_.empty() || !unconnected_.empty() || round_runs_;
}

End Batch::run() {
    constexpr int soon = 10;
    constexpr int later = 100;
    std::vector<Answer> answers;
    while (!enough_ && !is_stopped() && step()) {
        const bool changes = std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
            return slot.waits_for_daemon() || slot.waits_for_end();
        });
        if (!asker_.work(changes ? soon : later, answers)) {
            return End::failed;
        }
        for (Answer& answer : answers) {
            take(answer);
        }
        answers.clear();
    }
    keep();
    for (Slot& slot : slots_) {
        give_up(slot);
    }
    return is_stopped() ? End::failed : enough_ ? End::enough : End::done;
}

// --- results

bool Batch::write(std::FILE* results) const {
    std::string text;
    std::size_t count = 0;
    std::size_t good = 0;
    for (const Item& item : items_) {
        if (!item.done) {
            continue;
        }
        if (count % piece == 0) {
            text +=
                (count == 0 ? "" : "}\n") + ("piece_" + std::to_string(count / piece)) + "() {\n";
        }
        text += result_text(item, count++ % piece);
        good += item.error == 0 && item.code() == 0 ? 1 : 0;
    }
    text += (count == 0 ? "" : "}\n") + std::string("RESULTS=") + std::to_string(count) +
            " RESULTS_GOOD=" + std::to_string(good) + " BATCH_SAID=" + quote_word(said_) + '\n';
    return std::fwrite(text.data(), 1, text.size(), results) == text.size() &&
           std::fflush(results) == 0;
}

} // namespace

End run_batch(const Options& options, Asker& asker, std::FILE* strategies, std::FILE* results) {
    Batch batch(options, asker);
    batch.read(strategies);
    const End end = batch.run();
    return end == End::failed || batch.write(results) ? end : End::failed;
}

} // namespace nfqws2::probe
