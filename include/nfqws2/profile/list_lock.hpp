// Keeps the contents of the lists still while a worker looks something up. Each worker has a mutex
// in a cache line of its own, which costs it next to nothing since nobody else wants it; whoever
// replaces a table takes all of them, for the time of a swap. Not in use with a single worker.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

namespace nfqws2::profile {

class ListLock {
  public:
    // Before the threads are started.
    void share(unsigned workers) {
        slots_ = std::make_unique<Slot[]>(workers);
        workers_ = workers;
    }
    bool shared() const { return workers_ != 0; }

    // Around every look-up. Nothing else may be locked meanwhile.
    std::unique_lock<std::mutex> reading(unsigned worker) const {
        return shared() ? std::unique_lock(slots_[worker % workers_].mutex)
                        : std::unique_lock<std::mutex>();
    }

    // Around every change.
    std::vector<std::unique_lock<std::mutex>> writing() const {
        std::vector<std::unique_lock<std::mutex>> locks;
        for (unsigned i = 0; i < workers_; i++)
            locks.emplace_back(slots_[i].mutex);
        return locks;
    }

  private:
    struct alignas(64) Slot {
        std::mutex mutex;
    };
    std::unique_ptr<Slot[]> slots_;
    unsigned workers_ = 0;
};

} // namespace nfqws2::profile
