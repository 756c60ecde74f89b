// Reads list files in a thread of its own, so that no packet waits for a reload.
#pragma once

#include "nfqws2/profile/list_file.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace nfqws2::profile {

struct LoadJob {
    std::shared_ptr<ListFile> file;
    Signature signature;          // of the file before it was read
    std::uint64_t generation = 0; // of the list at that time
    bool forced = false;          // SIGHUP: an emptied file counts at once
    LoadedList result;
    FileDescriptor opened; // if the file is open already
};
void run_load(LoadJob& job); // in the calling thread; running out of memory becomes an error text

class BackgroundLoader {
  public:
    BackgroundLoader() = default;
    ~BackgroundLoader();
    BackgroundLoader(const BackgroundLoader&) = delete;
    BackgroundLoader& operator=(const BackgroundLoader&) = delete;

    // The thread lives only while there is work: none exists when the program becomes a daemon or
    // gives up its privileges. False, and the job untouched, if it cannot be started.
    bool submit(LoadJob& job);
    bool busy();
    // Frees contents that were replaced: giving back many pages takes longer than a packet may
    // wait.
    void discard(LoadedList&& old);
    bool has_finished() const { return has_finished_.load(std::memory_order_acquire); }
    std::vector<LoadJob> take_finished();
    void wait(); // until every submitted job is finished

  private:
    void run();
    bool start_thread();

    std::mutex mutex_;
    std::condition_variable idle_;
    std::deque<LoadJob> waiting_;
    std::vector<LoadJob> finished_;
    std::vector<LoadedList> discarded_;
    std::thread thread_;
    bool running_ = false;
    std::atomic<bool> has_finished_{false};
};

} // namespace nfqws2::profile
