// All stores of the process: small tables of records, each with a name, shared by all workers. What
// keeps them over restarts is StateDirectory.
#pragma once

#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/memory_budget.hpp"
#include "nfqws2/base/siphash.hpp"
#include "nfqws2/store/record.hpp"

#include <array>
#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace nfqws2::store {

inline constexpr std::size_t max_stores = 16;
using RecordPointer = std::shared_ptr<const Record>;

// Of all stores together: the record that was written longest ago gives way.
struct Limits {
    std::size_t records = 20'000;
    std::size_t bytes = 4 * 1024 * 1024; // an estimate with what stands around a record
};

class Stores {
  public:
    // `key`: nobody outside may know it, since names from the network become keys.
    Stores(const Clock& clock, const SipKey& key, const Limits& limits = {});
    Stores(const Stores&) = delete;
    Stores& operator=(const Stores&) = delete;

    // The store of a name, made on demand. *error: the name is none (1 to 32 of a-z 0-9 _ -), or
    // there are 16 already.
    std::optional<std::size_t> open(std::string_view name, const char** error);
    std::optional<std::size_t> find_store(std::string_view name) const; // without making it
    std::vector<std::string> names() const;

    std::optional<Fields> get(std::size_t store, std::string_view key) const;
    // The same without anything on the heap: the packed fields in `buffer`; nullopt: no record.
    using Buffer = std::array<char, max_packed>;
    std::optional<std::string_view> read(std::size_t store, std::string_view key,
                                         Buffer& buffer) const;
    // Why not, nullptr when it is done.
    const char* set(std::size_t store, std::string_view key, const Fields& fields,
                    std::uint32_t ttl = default_ttl);
    const char* write(std::size_t store, std::string_view key, std::span<FieldView> fields,
                      std::uint32_t ttl);
    // Gives a record other values for these fields, of which those without one go. The others and
    // its ttl remain, whoever else writes at the same time; makes the record if there is none.
    const char* merge(std::size_t store, std::string_view key, std::span<const FieldView> fields,
                      std::span<const std::string_view> gone = {});
    // Adds to a number, missing = 0, and makes the record if there is none; the new value. A record
    // keeps its ttl.
    std::optional<double> add(std::size_t store, std::string_view key, std::string_view field,
                              double number, const char** error);
    void erase(std::size_t store, std::string_view key);
    std::size_t count(std::size_t store) const;
    std::vector<std::string> keys(std::size_t store, std::string_view prefix) const; // sorted

    // All that live, in no order.
    std::vector<RecordPointer> records(std::size_t store) const;
    RecordPointer find(std::size_t store, std::string_view key) const;
    // As they come from a file. `only_over`: nothing else may have been written meanwhile (nullptr
    // = there must be none); false if it was.
    bool put(std::size_t store, Record record, const RecordPointer& only_over);
    // The same without a record that gives way to it, now or later: a new one is the first to give
    // way. Those that have expired do not count once forget_expired() was called.
    enum class Insertion : std::uint8_t { done, overtaken, no_room };
    Insertion insert(std::size_t store, Record record, const RecordPointer& only_over);
    void forget_expired();
    bool erase_if(std::size_t store, const RecordPointer& record);

    // Seconds of Unix time. Machines without a clock of their own begin in 1970: until theirs is
    // set it goes on from the newest record.
    std::int64_t now() const;

    std::uint64_t changes() const { return changes_.load(std::memory_order_relaxed); }
    std::size_t memory() const;
    void count_in(MemoryBudget* budget); // nullptr: no longer

  private:
    struct Entry {
        RecordPointer record;
        std::size_t store = 0;
    };
    using Position = std::list<Entry>::iterator;
    struct Hash {
        SipKey key;
        std::size_t operator()(std::string_view text) const {
            return table_hash(key, as_bytes(text));
        }
    };
    struct Table {
        std::string name;
        std::unordered_map<std::string_view, Position, Hash>
            by_key; // keys are those of the records
    };

    std::optional<std::size_t> number_of(std::string_view name) const;
    const Entry* lookup(std::size_t store, std::string_view key) const;
    bool fits(const Record& record, const Entry* instead_of) const;
    Insertion put_over(std::size_t store, Record record, const RecordPointer& only_over,
                       bool only_if_it_fits);
    enum class Turn : std::uint8_t { last, first }; // to give way
    void replace(std::size_t store, Record record, Turn turn = Turn::last);
    void remove(Position position);
    void make_room();
    void told();
    static std::size_t cost(const Record& record);

    const Clock& clock_;
    Hash hash_;
    Limits limits_;
    mutable std::mutex mutex_; // of all that follows
    std::vector<Table> tables_;
    std::list<Entry> by_write_; // the one written longest ago first
    std::size_t bytes_ = 0;
    std::atomic<std::int64_t> newest_{0}; // written last
    std::unique_ptr<MemoryShare> share_;
    std::atomic<std::uint64_t> changes_{0};
};

} // namespace nfqws2::store
