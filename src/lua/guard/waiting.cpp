// Theory of operation. A call that waits takes no processor time and so gets no ticks of that.
// While there are calls a second timer ticks by the machine's clock, several times per limit;
// without calls it stops itself. A tick finds the call of the one before or another; of the same
// call it adds up the time in which the thread neither ran nor stood in the queue for a processor:
// on a busy machine a script that computes must not be taken for one that waits. A thread in
// uninterruptible sleep (a disk, a lost file server) takes no signals: its ticks are lost, and the
// next that comes says how many. That time may be longer, since nobody can end it and disks do wake
// up.
//
// Beyond the limit the call gets the same hook as one that takes too long, and ticks no longer let
// system calls go on, so that the next one ends with EINTR. If the call is still there some time
// after that, the process ends.
#include "nfqws2/base/clock.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/lua/guard.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace nfqws2::lua {

namespace {

constexpr std::int64_t ms_ns = 1'000'000;
constexpr std::int64_t grace_ns = 2 * second_ns; // from the interruption to the end of the process
constexpr std::int64_t shortest_tick_ns = 10 * ms_ns, longest_tick_ns = second_ns;
constexpr std::int64_t ticks_per_limit = 10, deep_factor = 3;

std::int64_t read_clock(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return std::int64_t{now.tv_sec} * second_ns + now.tv_nsec;
}

// How long the thread of this descriptor stood in the queue for a processor (the second number of
// schedstat); 0 for ever where the kernel does not tell.
std::int64_t read_queued(int schedule) {
    char text[80] = "";
    if (schedule < 0 || pread(schedule, text, sizeof text - 1, 0) <= 0) return 0;
    const char* p = text;
    while (*p != ' ' && *p != '\0')
        p++;
    std::int64_t queued = 0;
    if (*p == ' ')
        while (*++p >= '0' && *p <= '9')
            queued = queued * 10 + (*p - '0');
    return queued;
}

void set_interval(timer_t timer, std::int64_t interval_ns) {
    itimerspec interval{};
    interval.it_interval.tv_sec = static_cast<std::time_t>(interval_ns / second_ns);
    interval.it_interval.tv_nsec = static_cast<long>(interval_ns % second_ns);
    interval.it_value = interval.it_interval;
    timer_settime(timer, 0, &interval, nullptr);
}

} // namespace

// Timers belong to the thread that made them.
void Guard::adopt() {
    active_ = this;
    drop_wait_timer();
}

void Guard::drop_wait_timer() {
    if (waiting_.has_timer) timer_delete(waiting_.timer);
    waiting_.has_timer = false;
    waiting_.schedule.reset();
    watches_waiting_ = 0;
}

void Guard::watch_waiting() {
    Waiting& w = waiting_;
    watches_waiting_ = 1;
    if (!w.has_timer && !make_timer(CLOCK_MONOTONIC, &w, &w.timer)) {
        log::os_error("--lua-wait-limit has no effect: timer_create", errno);
        return;
    }
    if (!w.has_timer) w.schedule.reset(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC));
    w.has_timer = true;
    const std::int64_t limit_ns = limits_.wait_ms * ms_ns;
    set_interval(w.timer,
                 std::clamp(limit_ns / ticks_per_limit, shortest_tick_ns, longest_tick_ns));
}

void Guard::tick_of_waiting() {
    Waiting& w = waiting_;
    const std::int64_t now = read_clock(CLOCK_MONOTONIC);
    const std::int64_t processor = read_clock(CLOCK_THREAD_CPUTIME_ID);
    const std::int64_t queued = read_queued(w.schedule.get());
    const std::int64_t passed = now - w.at_ns, worked = processor - w.processor_ns;
    const std::int64_t idle = std::max<std::int64_t>(passed - worked - (queued - w.queued_ns), 0);
    const bool same = w.call == calls_;
    w.call = calls_;
    w.at_ns = now;
    w.processor_ns = processor;
    w.queued_ns = queued;
    if (!running_ || !same) {
        w.light_ns = w.deep_ns = 0;
        if (!running_ && same) { // nothing has run since the last tick
            set_interval(w.timer, 0);
            watches_waiting_ = 0;
        }
        return;
    }
    if (worked > passed / 20) return; // it computes, on a busy machine
    const bool deep = timer_getoverrun(w.timer) > 0;
    (deep ? w.deep_ns : w.light_ns) += idle;
    const std::int64_t limit_ns = limits_.wait_ms * ms_ns;
    if (w.stopped) {
        w.since_stop_ns += idle;
        if (w.since_stop_ns > grace_ns) end_process("waits although it was interrupted");
    } else if (w.light_ns >= limit_ns || w.light_ns + w.deep_ns >= deep_factor * limit_ns) {
        w.stopped = true;
        w.since_stop_ns = 0;
        stop_waiting();
    }
}

void Guard::stop_waiting() {
    catch_ticks(false);
    hooked_ = true;
    if (L_ != nullptr) lua_sethook(L_, limit_hook, LUA_MASKCOUNT, 1);
}

} // namespace nfqws2::lua
