// Work that another thread wants done by a worker between two batches of packets, because what it
// is about belongs to that worker. Without any it costs a look at a flag.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace nfqws2::app {

struct Worker;

class Errands {
  public:
    using Errand = std::function<void(Worker&)>;

    // From any thread; the worker's bell has to be rung then.
    void add(Errand errand) {
        const std::lock_guard guard(mutex_);
        errands_.push_back(std::move(errand));
        waiting_.store(true, std::memory_order_release);
    }

    // By the worker.
    bool waiting() const { return waiting_.load(std::memory_order_relaxed); }
    void run(Worker& worker) {
        std::vector<Errand> errands;
        {
            const std::lock_guard guard(mutex_);
            errands.swap(errands_);
            waiting_.store(false, std::memory_order_relaxed);
        }
        for (const Errand& errand : errands)
            errand(worker);
    }

  private:
    std::atomic<bool> waiting_{false};
    std::mutex mutex_;
    std::vector<Errand> errands_;
};

} // namespace nfqws2::app
