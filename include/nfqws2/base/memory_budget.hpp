// One bound for everything that traffic can make the program keep. Each keeper tells its share;
// those that grow with traffic ask for room first. Counters are shared by all workers.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

namespace nfqws2 {

class MemoryBudget {
  public:
    // Lists, blobs and stores (which bound themselves) are never refused, but what they take is
    // missing for the others, down to a floor.
    enum class Part : std::uint8_t {
        flows,
        held,
        messages,
        lua,
        sends,
        lists,
        blobs,
        stores,
        rules, // marks, meters and sources of traffic rules
        count
    };
    static constexpr std::size_t megabyte = 1024 * 1024;
    static constexpr std::size_t least = 24 * megabyte, least_beside_others = 12 * megabyte;

    explicit MemoryBudget(std::size_t limit) : limit_(limit) {}
    // A quarter of the machine's memory, at least `least`.
    static std::size_t default_limit();

    void add(Part part, std::size_t bytes) { used(part).fetch_add(bytes, relaxed); }

    // Whether something that grows with traffic may take so much more.
    bool room(std::size_t bytes) const;

    std::size_t limit() const { return limit_; }
    std::size_t share(Part part) const {
        return used_[static_cast<std::size_t>(part)].load(relaxed);
    }
    std::string report() const; // one line

  private:
    static constexpr auto relaxed = std::memory_order_relaxed;
    std::atomic<std::size_t>& used(Part part) { return used_[static_cast<std::size_t>(part)]; }

    std::size_t limit_;
    std::array<std::atomic<std::size_t>, static_cast<std::size_t>(Part::count)> used_{};
};

// What one keeper has told the budget, given back at its end. Without a budget it does nothing.
class MemoryShare {
  public:
    MemoryShare(MemoryBudget* budget, MemoryBudget::Part part) : budget_(budget), part_(part) {}
    ~MemoryShare() { set(0); }
    MemoryShare(const MemoryShare&) = delete;
    MemoryShare& operator=(const MemoryShare&) = delete;

    void set(std::size_t bytes) {
        if (bytes == told_ || budget_ == nullptr) return;
        budget_->add(part_, bytes - told_); // modulo 2^64: may be less than before
        told_ = bytes;
    }

  private:
    MemoryBudget* budget_;
    MemoryBudget::Part part_;
    std::size_t told_ = 0;
};

} // namespace nfqws2
