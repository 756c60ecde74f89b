// Timing wheel of one-second slots for records that are touched far more often than they expire: a
// touch costs nothing here. A record is looked at when its slot comes; if it was used meanwhile it
// moves to the slot of its new deadline. NodeAt turns an index into a node with the members
// `wheel_prev`, `wheel_next` (ring links of one slot) and `wheel_s` (second of its slot).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace nfqws2::flow {

template <typename NodeAt> class ExpiryWheel {
  public:
    static constexpr std::uint32_t none = 0xFFFFFFFF;

    explicit ExpiryWheel(NodeAt at) : at_(at) {}

    // Into the slot of that second, or the nearest one the wheel has; behind the others there.
    void link(std::uint32_t index, std::uint32_t second) {
        auto& node = at_(index);
        node.wheel_s = std::clamp(second, cursor_, cursor_ + (slots - 1));
        std::uint32_t& head = heads_[node.wheel_s % slots];
        if (head == 0) {
            node.wheel_prev = node.wheel_next = index;
            head = index + 1;
            mark(node.wheel_s, true);
            return;
        }
        auto& first = at_(head - 1);
        node.wheel_next = head - 1;
        node.wheel_prev = first.wheel_prev;
        at_(first.wheel_prev).wheel_next = index;
        first.wheel_prev = index;
    }

    void unlink(std::uint32_t index) {
        auto& node = at_(index);
        std::uint32_t& head = heads_[node.wheel_s % slots];
        if (node.wheel_next == index) {
            head = 0;
            mark(node.wheel_s, false);
            return;
        }
        if (head == index + 1) head = node.wheel_next + 1;
        at_(node.wheel_prev).wheel_next = node.wheel_next;
        at_(node.wheel_next).wheel_prev = node.wheel_prev;
    }

    // Calls visit(index) for up to *budget records whose slot has come; visit unlinks the record,
    // or unlinks and links it to a second behind `now`. True: the budget ended first.
    template <typename Visit> bool run(std::uint32_t now, unsigned* budget, Visit visit) {
        if (now >= cursor_ + slots) cursor_ = now - (slots - 1); // each slot once is enough
        for (; cursor_ <= now; cursor_++) {
            while (const std::uint32_t head = heads_[cursor_ % slots]) {
                if (*budget == 0) return true;
                --*budget;
                visit(head - 1);
            }
        }
        return false;
    }

    // The record that will be looked at first; none if the wheel is empty.
    std::uint32_t first() const {
        const std::uint32_t second = first_second();
        return second == none ? none : heads_[second % slots] - 1;
    }
    // The second of its slot; none if the wheel is empty.
    std::uint32_t first_second() const {
        const std::uint32_t start = cursor_ % slots;
        for (std::uint32_t i = 0; i <= words; i++) {
            std::uint64_t word = used_[(start / 64 + i) % words];
            if (i == 0) word &= ~std::uint64_t{0} << (start % 64);
            if (i == words) word &= ~(~std::uint64_t{0} << (start % 64));
            if (word == 0) continue;
            const std::uint32_t slot =
                (start / 64 + i) % words * 64 + static_cast<std::uint32_t>(std::countr_zero(word));
            return cursor_ + (slot - start) % slots;
        }
        return none;
    }

  private:
    static constexpr std::uint32_t slots = 1024, words = slots / 64;

    void mark(std::uint32_t second, bool used) {
        const std::uint32_t slot = second % slots;
        const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
        if (used)
            used_[slot / 64] |= bit;
        else
            used_[slot / 64] &= ~bit;
    }

    NodeAt at_;
    std::uint32_t cursor_ = 0;                 // first second that was not worked off
    std::array<std::uint32_t, slots> heads_{}; // index + 1 of the first record
    std::array<std::uint64_t, words> used_{};  // bit per slot that is not empty
};

} // namespace nfqws2::flow
