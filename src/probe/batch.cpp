#include "batch.hpp"

#include "agenda.hpp"
#include "daemon.hpp"
#include "item.hpp"
#include "lines.hpp"
#include "numbers.hpp"
#include "results.hpp"
#include "slot.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

// Theory of operation. Each strategy becomes a profile of a daemon, told apart by --filter-lport,
// and its questions come from these local ports. There are four slots, each a daemon with its own
// queue and range of ports (slot.hpp). What a slot holds at a time is a group: one start of its
// daemon, and the questions of all its strategies. Which strategies make the next group the agenda
// tells (agenda.hpp). Groups are begun before there is room for their questions; these are asked as
// soon as others have their answers, those of the oldest group first. So a daemon that starts, and
// a group that only waits for its last answers, leave no connection unused.
//
// What cannot be judged after it is tried again: a local port that was in use after all, strategies
// of a daemon that died or did not start (in halves, until the guilty one is alone), connections
// that were not made, perhaps because there were too many (pace.hpp), time-outs while this program
// was kept from listening.

namespace nfqws2::probe {

namespace {

constexpr std::size_t slots = 4;
constexpr unsigned most_port_tries = 8;
constexpr unsigned most_deaf_tries = 2;
// What outlives a batch: the pace, and where the ports stand.
constexpr const char* pace_file = "/pace";

using Clock = std::chrono::steady_clock;

class Batch {
  public:
    Batch(const Options& options, Asker& asker, std::vector<Item>& items);
    End run();
    const std::string& said() const { return agenda_.said(); }

  private:
    bool step();
    bool work();
    void keep() const;
    bool is_idle() const;
    std::chrono::milliseconds part_of_max_time(unsigned divisor) const;

    void fill(Slot& slot);
    void put_back(Slot& slot);
    void look(Slot& slot);

    void ask_more();
    Slot* oldest_with_questions();
    void ask(std::size_t index, std::uint32_t number);
    void take(Answer& answer);
    bool has_more(const Item& item, std::uint32_t number) const;

    bool is_deaf(Item& item, const Slot& slot) const;
    void end_group(Slot& slot);
    void give_up(Slot& slot);
    void suspect(const Indices& items, const std::string& why, bool started);
    void finish(std::size_t index) { items_[index].done = true; }
    void fail(std::size_t index, int code, std::string why);

    const Options& options_;
    Asker& asker_;
    std::vector<Item>& items_;
    Agenda agenda_;
    std::vector<Slot> slots_;
    std::vector<Slot*> slot_of_; // of an item that runs
    std::size_t asking_ = 0;     // items asked for that have not all of their answers
    std::vector<Answer> answers_;
    Clock::time_point listened_ = Clock::now();
    bool enough_ = false;
};

// What read_numbers() gave, or where the first batch begins.
std::vector<std::uint32_t> state_of(const Options& options) {
    auto state = read_numbers(options.folder + pace_file);
    if (state.size() != 2 + slots) {
        state.assign(2 + slots, 0);
        state[0] = options.parallel;
        state[1] = most_trust;
    }
    return state;
}

Pace pace_of(const Options& options) {
    const auto state = state_of(options);
    return {options.parallel, state[0], state[1]};
}

Batch::Batch(const Options& options, Asker& asker, std::vector<Item>& items)
    : options_(options), asker_(asker), items_(items), agenda_(items, pace_of(options)),
      slot_of_(items.size()) {
    const auto state = state_of(options);
    const bool ipv6 = options.addresses.front().find(':') != std::string::npos;
    slots_.reserve(slots);
    for (std::size_t n = 0; n < slots; ++n) {
        slots_.emplace_back(options, n, ipv6, state[2 + n]);
    }
    for (std::size_t n = 0; n < items.size(); ++n) {
        if (!items[n].strategy.place.empty()) {
            agenda_.add(n);
        }
    }
}

void Batch::keep() const {
    std::vector<std::uint32_t> numbers{agenda_.pace().limit(), agenda_.pace().trust()};
    for (const Slot& slot : slots_) {
        numbers.push_back(slot.next_port());
    }
    write_numbers(options_.folder + pace_file, numbers);
}

bool Batch::is_idle() const {
    return std::none_of(slots_.begin(), slots_.end(),
                        [](const Slot& slot) { return slot.has_group(); });
}

std::chrono::milliseconds Batch::part_of_max_time(unsigned divisor) const {
    return std::chrono::milliseconds(options_.max_time / divisor);
}

// --- groups

void Batch::fill(Slot& slot) {
    if (!slot.is_free()) {
        return;
    }
    // Two groups are as many as may be asked for at once.
    const Indices group = agenda_.choose(std::min((agenda_.at_once() + 1) / 2, slot.most()));
    if (group.empty()) {
        return;
    }
    for (const std::size_t index : group) {
        slot_of_[index] = &slot;
    }
    const Indices without_ports = slot.start(items_, group);
    for (auto index = without_ports.rbegin(); index != without_ports.rend(); ++index) {
        if (slot.has_no_ports()) {
            fail(*index, code_daemon, "no local port is free");
        } else {
            agenda_.again(*index);
        }
    }
}

void Batch::put_back(Slot& slot) {
    slot.drop();
    const Indices group = slot.take_group();
    std::for_each(group.rbegin(), group.rend(), [this](std::size_t i) { agenda_.again(i); });
}

void Batch::look(Slot& slot) {
    if (slot.is_over()) {
        end_group(slot);
    } else if (slot.has_group() && slot.is_untouched() && agenda_.holds()) {
        put_back(slot);
    } else if (slot.is_starting() && slot.look() == Daemon::State::dead) {
        const Indices group = slot.take_group();
        // One that hangs would do so again, while all others wait.
        const bool hangs = slot.daemon_alive();
        slot.drop();
        suspect(group, hangs ? no_start : last_words(slot.log()), hangs);
    }
}

// --- asking

Slot* Batch::oldest_with_questions() {
    Slot* oldest = nullptr;
    for (Slot& slot : slots_) {
        if (slot.has_questions() && (oldest == nullptr || slot.began() < oldest->began())) {
            oldest = &slot;
        }
    }
    return oldest;
}

void Batch::ask_more() {
    while (asking_ < agenda_.at_once()) {
        Slot* const slot = oldest_with_questions();
        if (slot == nullptr) {
            return;
        }
        const std::size_t index = slot->next();
        items_[index].attempts.reserve(options_.repeats);
        ++asking_;
        for (std::uint32_t n = 1; n <= (options_.at_once ? options_.repeats : 1); ++n) {
            ask(index, n);
        }
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
    --asking_;
    if (options_.enough && item.code() == 0) {
        enough_ = true;
        return;
    }
    slot_of_[answer.owner]->answered();
}

// --- judging

// May its time-outs lie in this program? Asked so often, they are believed.
bool Batch::is_deaf(Item& item, const Slot& slot) const {
    return slot.deafness() > part_of_max_time(4) && item.has(code_timeout) &&
           item.deaf_tries++ < most_deaf_tries;
}

void Batch::end_group(Slot& slot) {
    const bool alive = slot.daemon_alive();
    slot.stop(items_);
    const Indices group = slot.take_group();
    Indices suspects;
    std::size_t unconnected = 0;
    for (const std::size_t index : group) {
        Item& item = items_[index];
        const bool bad = item.code() != 0;
        if (item.has(code_port) && item.port_tries++ < most_port_tries) {
            agenda_.again(index);
        } else if (bad && !alive) {
            suspects.push_back(index);
        } else if (bad && !item.error_text.empty()) {
            fail(index, code_daemon, item.error_text);
        } else if (bad && is_deaf(item, slot)) {
            agenda_.again(index);
        } else if (bad && !item.was_connected() && agenda_.doubts()) {
            agenda_.set_aside(index);
            ++unconnected;
        } else {
            finish(index);
        }
    }
    agenda_.note(group.size(), unconnected, slot.deafness() <= part_of_max_time(8));
    if (!suspects.empty()) {
        suspect(suspects, last_words(slot.log()), true);
    }
}

// Ends it. Those that have all of their answers keep them; failures that would be looked into have
// no result.
void Batch::give_up(Slot& slot) {
    if (!slot.is_asking()) {
        slot.drop();
        return;
    }
    const bool alive = slot.daemon_alive();
    slot.stop(items_);
    for (const std::size_t index : slot.group()) {
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
void Batch::suspect(const Indices& items, const std::string& why, bool started) {
    if (items.size() > 1) {
        for (auto index = items.rbegin(); index != items.rend(); ++index) {
            items_[*index].crowd = items.size() / 2;
            agenda_.again(*index);
        }
        return;
    }
    std::string text = why;
    const bool valid = started || is_valid(options_, items_[items.front()].strategy.words, text);
    fail(items.front(), valid ? code_daemon : code_invalid, text);
}

void Batch::fail(std::size_t index, int code, std::string why) {
    items_[index].error = code;
    items_[index].error_text = std::move(why);
    agenda_.leave_round();
    finish(index);
}

// --- all of it

// False when there is nothing left to do.
bool Batch::step() {
    if (is_idle()) {
        agenda_.change_round();
    }
    for (Slot& slot : slots_) {
        look(slot);
        fill(slot);
    }
    ask_more();
    return !is_idle() || !agenda_.is_empty();
}

// Waits for answers, and sees how late it heard them. False: the asker is broken.
bool Batch::work() {
    constexpr std::chrono::milliseconds soon(10);
    constexpr std::chrono::milliseconds later(100);
    const bool changes = std::any_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
        return slot.is_starting() || slot.waits_for_end();
    });
    const auto patience = changes ? soon : later;
    const bool works = asker_.work(static_cast<int>(patience.count()), answers_);
    const auto now = Clock::now();
    const auto deaf =
        std::chrono::duration_cast<std::chrono::milliseconds>(now - listened_) - patience;
    listened_ = now;
    for (Slot& slot : slots_) {
        slot.note_deafness(deaf);
    }
    return works;
}

End Batch::run() {
    while (!enough_ && !is_stopped() && step()) {
        if (!work()) {
            return End::failed;
        }
        for (Answer& answer : answers_) {
            take(answer);
        }
        answers_.clear();
    }
    keep();
    for (Slot& slot : slots_) {
        give_up(slot);
    }
    return is_stopped() ? End::failed : enough_ ? End::enough : End::done;
}

// A line that is no strategy has no result.
std::vector<Item> read_items(const Options& options, std::FILE* strategies) {
    std::vector<Item> items;
    Lines lines(strategies);
    std::string line;
    while (lines.next(line)) {
        Item item;
        if (auto strategy = read_strategy(line, options.before, options.behind)) {
            item.strategy = std::move(*strategy);
        } else {
            item.strategy.key = line;
        }
        items.push_back(std::move(item));
    }
    return items;
}

} // namespace

End run_batch(const Options& options, Asker& asker, std::FILE* strategies, std::FILE* results) {
    auto items = read_items(options, strategies);
    Batch batch(options, asker, items);
    const End end = batch.run();
    return end == End::failed || write_results(items, batch.said(), results) ? end : End::failed;
}

} // namespace nfqws2::probe
