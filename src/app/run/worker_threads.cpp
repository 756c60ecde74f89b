// Theory of operation: worker 0 runs in the main thread, which takes the signals and does what is
// to be done once; the others have a thread each and get no signals but the ticks of their Lua
// limits. A worker whose queue is lost for good stops all others. At the end each gives away the
// packets it holds in its own thread; the main thread waits for that, but not for ever: a script
// that sleeps in a system call ends the process. The queues are closed when all workers have ended,
// in order.
#include "run/worker_threads.hpp"

#include "nfqws2/base/emergency.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/lua/guard.hpp"
#include "run/queue_loop.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>
#include <pthread.h>
#include <unistd.h>

namespace nfqws2::app {
namespace {

constexpr auto patience = std::chrono::seconds(5);
// What scripts may need (lua/c_stack.cpp), which some C libraries do not give to threads. Untouched
// memory costs nothing.
constexpr std::size_t least_stack = 8 * 1024 * 1024;

class WorkerThreads {
  public:
    WorkerThreads(Workers& workers, const SocketsOfWorkers& sockets)
        : workers_(workers), sockets_(sockets) {}

    bool start(); // all but the first; false: logged, and those that run are told to stop
    bool run(std::size_t number);
    void join();
    bool all_kept() const { return all_kept_; } // no queue was lost

  private:
    struct Thread {
        WorkerThreads* owner;
        std::size_t worker;
        pthread_t id{};
        bool ended = false;
    };
    static void* body(void* argument);
    bool create(Thread& thread);
    static bool run_queue_of(Worker& worker, WorkerSockets& sockets);

    Workers& workers_;
    const SocketsOfWorkers& sockets_;
    std::vector<std::unique_ptr<Thread>> threads_;
    std::mutex mutex_; // of what follows
    std::condition_variable end_;
    bool all_kept_ = true;
};

bool WorkerThreads::start() {
    const Signals::Blocked blocked;
    for (std::size_t i = 1; i < workers_.size(); i++) {
        auto thread = std::make_unique<Thread>(Thread{this, i});
        if (!create(*thread)) {
            workers_.signals().stop();
            return false;
        }
        threads_.push_back(std::move(thread));
    }
    return true;
}

bool WorkerThreads::create(Thread& thread) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    std::size_t stack = 0;
    if (pthread_attr_getstacksize(&attributes, &stack) == 0 && stack < least_stack)
        pthread_attr_setstacksize(&attributes, least_stack);
    const int error = pthread_create(&thread.id, &attributes, body, &thread);
    pthread_attr_destroy(&attributes);
    if (error != 0) log::os_error("cannot start worker " + std::to_string(thread.worker), error);
    return error == 0;
}

void* WorkerThreads::body(void* argument) {
    Thread& thread = *static_cast<Thread*>(argument);
    char name[16];
    std::snprintf(name, sizeof name, "nfqws2-%zu", thread.worker);
    pthread_setname_np(pthread_self(), name);
    const bool kept = thread.owner->run(thread.worker);
    const std::lock_guard lock(thread.owner->mutex_);
    if (!kept) thread.owner->all_kept_ = false;
    thread.ended = true;
    thread.owner->end_.notify_all();
    return nullptr;
}

bool WorkerThreads::run(std::size_t number) {
    Worker& worker = workers_[number];
    const log::Label label(worker.label);
    worker.engine.adopt();
    const bool kept = run_queue_of(worker, *sockets_[number]);
    if (!kept) workers_.signals().stop();
    return kept;
}

// Without memory there is nothing that the other workers could wait for.
bool WorkerThreads::run_queue_of(Worker& worker, WorkerSockets& sockets) {
    try {
        return run_queue(worker, sockets.queue(), sockets.queue_options());
    } catch (const std::bad_alloc&) {
        emergency::say("nfqws2: out of memory\n");
        _exit(lua::Guard::memory_exit_code);
    }
}

void WorkerThreads::join() {
    std::unique_lock lock(mutex_);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    for (const auto& thread : threads_) {
        if (end_.wait_until(lock, deadline, [&thread] { return thread->ended; })) continue;
        log::error("worker %zu does not end. The process ends with code %d.", thread->worker,
                   lua::Guard::exit_code);
        std::fflush(nullptr);
        _exit(lua::Guard::exit_code);
    }
    lock.unlock();
    for (const auto& thread : threads_)
        pthread_join(thread->id, nullptr);
}

void report_losses(const SocketsOfWorkers& sockets) {
    unsigned long long lost = 0;
    for (const auto& of_worker : sockets)
        lost += of_worker->queue().kernel_drops().value_or(0);
    if (lost != 0) log::status("%llu packets passed unprocessed because the queue was full", lost);
}

} // namespace

int run_threads(Workers& workers, const SocketsOfWorkers& sockets) {
    WorkerThreads threads(workers, sockets);
    bool good = threads.start();
    if (good) good = threads.run(0);
    if (workers.signals().requested()) log::status("quit requested");
    threads.join();
    report_losses(sockets);
    for (std::size_t i = 0; i < workers.size(); i++) {
        const log::Label label(workers[i].label);
        sockets[i]->close_queue();
    }
    return good && threads.all_kept() ? workers.signals().exit_code() : 1;
}

} // namespace nfqws2::app
