// The table behind marks, buckets and sources: bounded, keyed, with entries of one size, and shared
// by workers if need be.
//
// Theory of operation. Entries are found by a keyed hash, whose upper bits choose one of up to 64
// parts with a lock each (one part without a lock where one thread uses the table). A part is a
// linear hash over an array of entries that grows page by page, so no insertion costs more than a
// few entries' work and none ever moves the table. The array is never shrunk: what is removed goes
// to a list of free places.
//
// Each insertion also looks at two further places and frees what is dead there, so that a table is
// about as large as what is alive in it. When the limit or the memory budget is reached, the entry
// that is worth least of eight neighbours (chosen by hash, so by nobody outside) makes room. That
// costs less than keeping an order for all, and what is of more worth than most nearly always
// stays.
//
// An entry type has `hash`, `chain`, and used(): false for a default one.
#pragma once

#include "nfqws2/base/linear_hash.hpp"
#include "nfqws2/base/memory_budget.hpp"
#include "nfqws2/base/page_arena.hpp"
#include "nfqws2/rules/state/table_setup.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <new>

namespace nfqws2::rules {

// worth() of an entry that must not make room for another.
inline constexpr std::int64_t must_stay = std::numeric_limits<std::int64_t>::max();
// Of one that is over; it does not count as evicted.
inline constexpr std::int64_t worthless = std::numeric_limits<std::int64_t>::min();

template <typename Entry> class TablePart {
  public:
    TablePart() = default;
    TablePart(const TablePart&) = delete;
    TablePart& operator=(const TablePart&) = delete;

    void configure(std::size_t limit, MemoryBudget* budget) {
        limit_ = limit;
        budget_ = budget;
        share_ = std::make_unique<MemoryShare>(budget, MemoryBudget::Part::rules);
        share_->set(bytes());
    }
    void set_limit(std::size_t limit) { limit_ = limit; }
    std::unique_lock<std::mutex> lock(bool shared) {
        return shared ? std::unique_lock(mutex_) : std::unique_lock<std::mutex>();
    }

    template <typename Match> Entry* find(std::uint32_t hash, Match match) const {
        const std::uint32_t index =
            table_.find(hash, [&](std::uint32_t i) { return match(places_(i)); });
        return index == Hash::not_found ? nullptr : &places_(index);
    }

    // A new entry with that hash. The caller fills it, so that used() holds, before it lets go of
    // the lock. dead(entry): nobody misses it. worth(entry): the least goes first. gone(entry) sees
    // each that is removed. nullptr when nothing can make room.
    template <typename Dead, typename Worth, typename Gone>
    Entry* make(std::uint32_t hash, Dead dead, Worth worth, Gone gone) {
        sweep(dead, gone);
        if (table_.size() > limit_) make_room(hash * 7, worth, gone); // it was lowered
        std::uint32_t index = none;
        if (table_.size() < limit_) index = free_ != none ? take_free() : grow();
        if (index == none && make_room(hash, worth, gone)) index = take_free();
        if (index == none) return nullptr;
        Entry& entry = *::new (&places_(index)) Entry();
        entry.hash = hash;
        table_.insert(index);
        share_->set(bytes());
        return &entry;
    }

    // The first entry of that hash for which match() holds.
    template <typename Match> bool erase(std::uint32_t hash, Match match) {
        const std::uint32_t index =
            table_.find(hash, [&](std::uint32_t i) { return match(places_(i)); });
        if (index == Hash::not_found) return false;
        remove(index);
        return true;
    }

    template <typename Visit> std::uint32_t scan(std::uint32_t cursor, Visit visit) const {
        return table_.scan(cursor, [&](std::uint32_t i) { visit(places_(i)); });
    }
    std::size_t size() const { return table_.size(); }
    std::uint64_t evicted() const { return evicted_; }
    std::size_t bytes() const { // of pages that were touched
        return page_up(made_ * sizeof(Entry)) + page_up(table_.buckets() * sizeof(std::uint32_t));
    }

  private:
    static constexpr std::uint32_t none = 0xFFFFFFFF;
    static constexpr std::uint32_t neighbours = 8;
    static constexpr std::uint32_t most_steps = 4096; // over empty cells: some microseconds
    static constexpr std::uint32_t swept = 2;
    static constexpr std::uint32_t unasked = 64; // entries that the budget is not asked for
    static constexpr std::uint32_t per_block =
        static_cast<std::uint32_t>(PageArena::block_size / sizeof(Entry));

    struct Places {
        const PageArena* pages;
        Entry& operator()(std::uint32_t index) const {
            std::byte* block = pages->at(index / per_block);
            return reinterpret_cast<Entry*>(block)[index % per_block];
        }
        void prefetch(std::uint32_t index) const { __builtin_prefetch(&(*this)(index)); }
    };
    using Hash = LinearHash<Places>;

    static std::size_t page_up(std::size_t bytes) { return (bytes + 4095) & ~std::size_t{4095}; }

    // At most half of the budget is for rules, so that a flood that they watch leaves flows alone.
    bool room_for(std::size_t more) const {
        if (budget_ == nullptr || budget_->limit() == 0) return true;
        const std::size_t taken = budget_->share(MemoryBudget::Part::rules);
        return taken + more <= budget_->limit() / 2 && budget_->room(more);
    }

    std::uint32_t take_free() {
        const std::uint32_t index = free_;
        free_ = places_(index).chain;
        return index;
    }
    std::uint32_t grow() {
        const std::size_t more =
            page_up((made_ + 1) * sizeof(Entry)) - page_up(made_ * sizeof(Entry));
        if (made_ >= unasked && more != 0 && !room_for(more)) return none;
        if (made_ % per_block == 0 && !pages_.acquire(made_ / per_block)) return none;
        ::new (&places_(made_)) Entry();
        return made_++;
    }
    void remove(std::uint32_t index) {
        table_.erase(index);
        Entry& entry = *::new (&places_(index)) Entry();
        entry.chain = free_;
        free_ = index;
    }
    template <typename Dead, typename Gone> void sweep(Dead dead, Gone gone) {
        for (std::uint32_t i = 0; i < swept && made_ != 0; i++) {
            if (hand_ >= made_) hand_ = 0;
            const Entry& entry = places_(hand_);
            if (entry.used() && dead(entry)) {
                gone(entry);
                remove(hand_);
            }
            hand_++;
        }
    }
    template <typename Worth, typename Gone>
    bool make_room(std::uint32_t hash, Worth worth, Gone gone) {
        if (made_ == 0) return false;
        const std::uint64_t spread = hash * 0x9E3779B1U;
        const auto start = static_cast<std::uint32_t>(spread * made_ >> 32);
        std::uint32_t victim = none;
        std::int64_t least = must_stay;
        bool seen = false;
        const auto look = [&](std::uint32_t index) {
            const Entry& entry = places_(index);
            if (!entry.used()) return;
            seen = true;
            const std::int64_t value = worth(entry);
            if (value >= least) return;
            least = value;
            victim = index;
        };
        for (std::uint32_t i = 0; i < neighbours; i++)
            look((start + i) % made_);
        // A limit that was lowered leaves few entries among many free places.
        std::uint32_t cursor = hash;
        for (std::uint32_t i = 0; i < most_steps && !seen; i++)
            cursor = table_.scan(cursor, look);
        if (victim == none) return false;
        if (least != worthless) evicted_++;
        gone(places_(victim));
        remove(victim);
        return true;
    }

    std::mutex mutex_;
    std::size_t limit_ = 0;
    MemoryBudget* budget_ = nullptr;
    PageArena pages_;
    Places places_{&pages_};
    Hash table_{places_};
    std::unique_ptr<MemoryShare> share_;
    std::uint32_t made_ = 0;    // places there are
    std::uint32_t free_ = none; // list of those not in use
    std::uint32_t hand_ = 0;    // where sweep goes on
    std::uint64_t evicted_ = 0;
};

template <typename Entry> class ShardedTable {
  public:
    using Part = TablePart<Entry>;

    explicit ShardedTable(const TableSetup& setup)
        : shared_(setup.shared), bits_(bits_for(setup)),
          parts_(std::make_unique<Aligned[]>(count())) {
        for (std::size_t i = 0; i < count(); i++)
            parts_[i].part.configure(share_of(setup.entries), setup.budget);
    }

    Part& part_of(std::uint32_t hash) const {
        return parts_[bits_ == 0 ? 0 : hash >> (32 - bits_)].part;
    }
    std::unique_lock<std::mutex> lock(Part& part) const { return part.lock(shared_); }

    void set_limit(std::size_t entries) {
        for (std::size_t i = 0; i < count(); i++) {
            const auto held = lock(parts_[i].part);
            parts_[i].part.set_limit(share_of(entries));
        }
    }
    TableCounts counts() const {
        TableCounts sum;
        for (std::size_t i = 0; i < count(); i++) {
            Part& part = parts_[i].part;
            const auto held = lock(part);
            sum.entries += part.size();
            sum.bytes += part.bytes();
            sum.evicted += part.evicted();
        }
        return sum;
    }
    // The upper half of the cursor is the part.
    template <typename Visit> std::uint64_t scan(std::uint64_t cursor, Visit visit) const {
        std::uint64_t number = cursor >> 32;
        if (number >= count()) return 0;
        auto in_part = static_cast<std::uint32_t>(cursor);
        {
            Part& part = parts_[static_cast<std::size_t>(number)].part;
            const auto held = lock(part);
            for (int i = 0; i < steps_of_scan; i++) {
                in_part = part.scan(in_part, visit);
                if (in_part == 0) break;
            }
        }
        if (in_part != 0) return number << 32 | in_part;
        return ++number == count() ? 0 : number << 32;
    }

  private:
    static constexpr unsigned most_bits = 6;
    static constexpr std::size_t worth_a_part = 256; // entries
    static constexpr int steps_of_scan = 128;

    struct alignas(64) Aligned {
        Part part;
    };
    static unsigned bits_for(const TableSetup& setup) {
        if (!setup.shared) return 0;
        const auto parts = static_cast<unsigned>(std::bit_width(setup.entries / worth_a_part));
        return std::min(parts == 0 ? 0 : parts - 1, most_bits);
    }
    std::size_t count() const { return std::size_t{1} << bits_; }
    std::size_t share_of(std::size_t entries) const {
        return std::max<std::size_t>((entries + count() - 1) / count(), 1);
    }

    bool shared_;
    unsigned bits_;
    std::unique_ptr<Aligned[]> parts_;
};

} // namespace nfqws2::rules
