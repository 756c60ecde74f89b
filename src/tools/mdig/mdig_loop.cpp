// Theory of operation. Free slots take lines until each has a name; then one waits for answers, for
// the end of a pause after EAI_AGAIN, and for input while there are free slots. A slot's results
// are written when its name is done, so with one slot the order of the output is that of the input.
#include "mdig/mdig_loop.hpp"

#include <algorithm>
#include <climits>
#include <netdb.h>

namespace nfqws2::tools {

ResolverLoop::ResolverLoop(const MdigOptions& options, AsyncResolver& resolver, LineReader& input,
                           int input_descriptor, MdigOutput& output)
    : options_(options), resolver_(resolver), intake_(options, input, output),
      input_descriptor_(input_descriptor), output_(output), slots_(options.threads) {
    for (unsigned slot = options.threads; slot > 0; slot--)
        free_.push_back(slot - 1);
}

void ResolverLoop::run() {
    if (output_.verbose())
        for (unsigned slot = 0; slot < slots_.size(); slot++)
            output_.message(slot, "started");
    for (;;) {
        fill();
        if (free_.size() == slots_.size()) break;
        wait();
    }
    if (output_.verbose())
        for (unsigned slot = 0; slot < slots_.size(); slot++)
            output_.message(slot, "ended");
}

// Waits for input only when there is nothing else to wait for.
void ResolverLoop::fill() {
    while (!input_ended_ && !free_.empty()) {
        if (free_.size() != slots_.size() && intake_.would_wait()) return;
        const unsigned number = free_.back();
        Slot& slot = slots_[number];
        if (!intake_.take(number, slot.batch, slot.domain)) {
            input_ended_ = true;
        } else if (slot.domain.empty()) {
            output_.commit(slot.batch);
        } else {
            free_.pop_back();
            slot.attempts = 0;
            if (output_.verbose()) output_.message(number, "resolving " + slot.domain);
            ask(number);
        }
    }
}

void ResolverLoop::ask(unsigned slot) {
    slots_[slot].attempts++;
    resolver_.ask(slot, slots_[slot].domain, options_.families);
}

void ResolverLoop::wait() {
    const bool for_input = !input_ended_ && !free_.empty();
    if (for_input) output_.set_waiting(true);
    resolver_.wait(for_input ? input_descriptor_ : -1, milliseconds_to_sleep(), answers_);
    if (for_input) output_.set_waiting(false);
    for (AsyncResolver::Answer& answer : answers_)
        take_answer(answer);
    answers_.clear();
    wake_sleepers();
}

void ResolverLoop::take_answer(AsyncResolver::Answer& answer) {
    Slot& slot = slots_[answer.slot];
    if (answer.code == 0) {
        for (const IpAddress& address : answer.addresses)
            slot.batch.print_address(address);
        return finish(answer.slot, true);
    }
    if (output_.verbose()) output_.message(answer.slot, failure_text(slot.domain, answer.code));
    if (answer.code != EAI_AGAIN) return finish(answer.slot, false);
    slot.asleep_until = Clock::now() + std::chrono::milliseconds(options_.eagain_delay_ms);
}

void ResolverLoop::finish(unsigned number, bool success) {
    Slot& slot = slots_[number];
    slot.batch.add_done(slot.domain, success, output_.logging());
    slot.domain.clear();
    output_.commit(slot.batch);
    free_.push_back(number);
}

void ResolverLoop::wake_sleepers() {
    const Clock::time_point now = Clock::now();
    for (unsigned number = 0; number < slots_.size(); number++) {
        Slot& slot = slots_[number];
        if (!slot.asleep_until || *slot.asleep_until > now) continue;
        slot.asleep_until.reset();
        if (slot.attempts < options_.eagain)
            ask(number);
        else
            finish(number, false);
    }
}

int ResolverLoop::milliseconds_to_sleep() const {
    std::optional<Clock::time_point> first;
    for (const Slot& slot : slots_)
        if (slot.asleep_until && (!first || *slot.asleep_until < *first)) first = slot.asleep_until;
    if (!first) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*first - Clock::now()).count();
    return static_cast<int>(std::clamp<decltype(left)>(left, 0, INT_MAX));
}

} // namespace nfqws2::tools
