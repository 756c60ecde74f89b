#include "background_loader.hpp"

#include <sys/resource.h>

#include <csignal>
#include <new>
#include <system_error>
#include <utility>

namespace nfqws2::profile {

namespace {
constexpr std::size_t quickly_freed = 256 * 1024; // bytes
constexpr int loader_nice = 10;
} // namespace

void run_load(LoadJob& job) {
    try {
        job.result = job.file->load(std::move(job.opened));
    } catch (const std::bad_alloc&) {
        job.result = LoadedList();
        job.result.opened = true;
        job.result.error = job.file->path() + ": out of memory";
    }
}

BackgroundLoader::~BackgroundLoader() {
    {
        const std::lock_guard lock(mutex_);
        waiting_.clear();
    }
    if (thread_.joinable()) thread_.join();
}

bool BackgroundLoader::submit(LoadJob& job) {
    const std::lock_guard lock(mutex_);
    if (!running_ && !start_thread()) return false;
    waiting_.push_back(std::move(job));
    return true;
}

void BackgroundLoader::discard(LoadedList&& old) {
    LoadedList here = std::move(old);
    if (here.hosts.memory() + here.nets.memory() <= quickly_freed) return;
    const std::lock_guard lock(mutex_);
    if (running_ || start_thread()) discarded_.push_back(std::move(here));
}

bool BackgroundLoader::busy() {
    const std::lock_guard lock(mutex_);
    return running_;
}

// Called with the mutex held: the thread begins by taking it. Signals are for the main thread,
// whose system calls they interrupt.
bool BackgroundLoader::start_thread() {
    if (thread_.joinable()) thread_.join(); // has left run() or is about to, without the mutex
    sigset_t all, old;
    sigfillset(&all);
    sigdelset(&all, SIGSYS); // a forbidden system call comes to the thread that tried it
    pthread_sigmask(SIG_SETMASK, &all, &old);
    try {
        thread_ = std::thread(&BackgroundLoader::run, this);
        running_ = true;
    } catch (const std::system_error&) {
        running_ = false;
    }
    pthread_sigmask(SIG_SETMASK, &old, nullptr);
    return running_;
}

void BackgroundLoader::run() {
    setpriority(PRIO_PROCESS, 0, loader_nice); // of this thread only; packets come first
    std::unique_lock lock(mutex_);
    while (!waiting_.empty() || !discarded_.empty()) {
        if (!discarded_.empty()) {
            std::vector<LoadedList> old = std::exchange(discarded_, {});
            lock.unlock();
            old.clear();
            lock.lock();
            continue;
        }
        LoadJob job = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        run_load(job);
        lock.lock();
        finished_.push_back(std::move(job));
        has_finished_.store(true, std::memory_order_release);
    }
    running_ = false;
    idle_.notify_all();
}

std::vector<LoadJob> BackgroundLoader::take_finished() {
    const std::lock_guard lock(mutex_);
    has_finished_.store(false, std::memory_order_release);
    return std::exchange(finished_, {});
}

void BackgroundLoader::wait() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return !running_; });
}

} // namespace nfqws2::profile
