// Theory of operation. A timer of the thread's processor time ticks a few times per budget; an idle
// process gets no ticks and a call costs a few stores, no system call. The handler counts the ticks
// of the running call. Beyond the budget it sets a hook that raises an error at every instruction,
// so that not even pcall lets the call go on. Hooks do not run inside of compiled loops, in native
// functions and in coroutines of PUC Lua: what goes on for a second more ends the process, with a
// message made without the heap, because the interrupted code may hold it. A request to quit works
// the same way with alarm(2), with limits or without. It comes to the main thread: a state that is
// used by another one finds it at its next tick, and looks at the time instead.
// Hooks do not run in finalizers, so one that does not end ends the process like compiled loops do.
#include "nfqws2/lua/guard.hpp"

#include "guard/small_blocks.hpp"

#include "nfqws2/base/emergency.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/profile/profile.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace nfqws2::lua {

namespace {

constexpr int tick_signal = SIGVTALRM;
constexpr int grace_ms = 1000;       // from the error to the end of the process
constexpr unsigned quit_grace_s = 2; // from the request to quit to that end
constexpr int shortest_tick_ms = 10, longest_tick_ms = 20;
constexpr int ticks_per_budget = 4;

void set_handler(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
}

int ticks_of(int milliseconds, int tick_ms) {
    return (milliseconds + tick_ms - 1) / tick_ms;
}

} // namespace

constinit thread_local Guard* Guard::active_ = nullptr;

Guard::~Guard() {
    if (has_timer_) timer_delete(timer_);
    drop_wait_timer();
    if (active_ == this) active_ = nullptr;
}

Guard::Guard(const Limits& limits) : limits_(limits) {
    if (limits.call_ms == 0) {
        tried_timer_ = !limits.in_thread;
        tick_ms_ = longest_tick_ms;
        limit_ticks_ = fatal_ticks_ = std::numeric_limits<int>::max();
        return;
    }
    const int budget = static_cast<int>(std::min(limits.call_ms, 86'400'000U));
    tick_ms_ = std::clamp(budget / ticks_per_budget, shortest_tick_ms, longest_tick_ms);
    limit_ticks_ = ticks_of(budget, tick_ms_);
    fatal_ticks_ = limit_ticks_ + ticks_of(grace_ms, tick_ms_);
}

void Guard::attach(lua_State* L) {
    L_ = L;
    active_ = this;
    set_handler(SIGALRM, on_alarm);
    attach_memory();
}

void Guard::detach() {
    detach_memory();
    enter({"the end of the program"}, false, true);
    hooked_ = false;
    L_ = nullptr;
}

void Guard::enter_named(const char* what, std::string_view name) {
    // The timer may be gone while its callback runs.
    const std::size_t size = std::min(name.size(), name_.size() - 1);
    std::copy_n(name.begin(), size, name_.begin());
    name_[size] = 0;
    enter({what, name_.data()}, true, true);
}

Guard::Before Guard::begin_inner() {
    const Before before{subject_, limits_time_, ticks_};
    subject_ = {attached_call};
    limits_time_ = 1;
    restart();
    if (!tried_timer_) start_timer();
    return before;
}

void Guard::end_inner(const Before& before) {
    restart();
    subject_ = before.subject;
    ticks_ = before.ticks;
    limits_time_ = before.limits_time;
}

// Made at the first call and not before: a timer does not survive the fork of a daemon, and counts
// the time of one thread.
void Guard::start_timer() {
    tried_timer_ = true;
    if (!make_timer(CLOCK_THREAD_CPUTIME_ID, this, &timer_) &&
        !make_timer(CLOCK_MONOTONIC, this, &timer_)) {
        log::os_error("--lua-call-limit has no effect: timer_create", errno);
        return;
    }
    has_timer_ = true;
    itimerspec interval{};
    interval.it_interval.tv_sec = tick_ms_ / 1000;
    interval.it_interval.tv_nsec = static_cast<long>(tick_ms_ % 1000) * 1'000'000;
    interval.it_value = interval.it_interval;
    timer_settime(timer_, 0, &interval, nullptr);
}

bool Guard::make_timer(clockid_t clock, void* value, timer_t* timer) {
    catch_ticks(true);
    sigevent event{};
    event.sigev_value.sival_ptr = value;
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = tick_signal;
    event.sigev_notify_thread_id = static_cast<pid_t>(syscall(SYS_gettid));
    return timer_create(clock, &event, timer) == 0;
}

// `restart`: system calls that a tick interrupts go on.
void Guard::catch_ticks(bool restart) {
    struct sigaction action {};
    action.sa_sigaction = on_tick;
    action.sa_flags = SA_SIGINFO | (restart ? SA_RESTART : 0);
    sigemptyset(&action.sa_mask);
    sigaction(tick_signal, &action, nullptr);
}

// A thread may use several states: the tick of one that does not run says nothing. The value tells
// a tick from any other signal; the number of SI_TIMER depends on the processor (MIPS), and
// emulators of programs pass on that of their host.
void Guard::on_tick(int, siginfo_t* info, void*) {
    const int saved_errno = errno;
    if (active_ != nullptr) {
        if (info->si_value.sival_ptr == active_) active_->tick();
        if (info->si_value.sival_ptr == &active_->waiting_) active_->tick_of_waiting();
    }
    errno = saved_errno;
}

void Guard::tick() {
    if (!running_) return;
    if (interrupted_ && limits_.in_thread) tick_of_interrupt();
    if (!limits_time_) return;
    const int ticks = ticks_ + 1;
    ticks_ = ticks;
    if (counting_) use_allocator(allocate_watched);
    if (ticks > fatal_ticks_) end_process("does not end although its budget is spent");
    if (ticks > limit_ticks_ && !hooked_ && L_ != nullptr) {
        hooked_ = true;
        // Calls are left alone, so that the message handler, a native function, can do its work.
        lua_sethook(L_, limit_hook, LUA_MASKCOUNT, 1);
    }
}

void Guard::limit_hook(lua_State* L, lua_Debug*) {
    if (active_ == nullptr || !active_->hooked_) {
        lua_sethook(L, nullptr, 0, 0);
        return;
    }
    if (active_->waiting_.stopped)
        luaL_error(L, "the call waits longer than %d ms (--lua-wait-limit)",
                   static_cast<int>(active_->limits_.wait_ms));
    luaL_error(L, "the call takes longer than %d ms (--lua-call-limit)",
               static_cast<int>(active_->limits_.call_ms));
}

void Guard::unhook() {
    hooked_ = false;
    lua_sethook(L_, nullptr, 0, 0);
    if (!waiting_.stopped) return;
    waiting_.stopped = false;
    catch_ticks(true);
}

void Guard::interrupt() {
    if (L_ == nullptr) return;
    interrupted_ = true;
    // Nobody may touch a state that another thread uses, and what does not run needs no end.
    if (active_ == this && running_) hook_for_interrupt();
    alarm(quit_grace_s);
}

void Guard::tick_of_interrupt() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (interrupt_seen_.tv_sec == 0) {
        interrupt_seen_ = now;
        hook_for_interrupt();
    }
    const auto grace = static_cast<std::time_t>(quit_grace_s);
    if (now.tv_sec - interrupt_seen_.tv_sec > grace) end_process("cannot be interrupted");
}

// While the state ends there is nothing left to hook, but ticks go on.
void Guard::hook_for_interrupt() {
    if (L_ == nullptr) return;
    hooked_ = true;
    lua_sethook(L_, interrupt_hook, LUA_MASKCOUNT, 1);
}

// It stays until the call has ended, so that no pcall() holds the end up.
void Guard::interrupt_hook(lua_State* L, lua_Debug*) {
    if (active_ == nullptr || !active_->hooked_) {
        lua_sethook(L, nullptr, 0, 0);
        return;
    }
    if (active_->asked_exit_) luaL_error(L, "INTERRUPT by os.exit(%d)", *active_->asked_exit_);
    luaL_error(L, "INTERRUPT");
}

void Guard::on_alarm(int) {
    const int saved_errno = errno;
    if (active_ != nullptr && active_->interrupted_) {
        if (active_->running_) active_->end_process("cannot be interrupted");
        alarm(1); // what comes until the end may be stuck as well
    }
    errno = saved_errno;
}

void Guard::end_process(const char* why, int code) const {
    emergency::Line line;
    line << "LUA WATCHDOG: ";
    if (subject_.profile != nullptr) {
        const std::string& name = subject_.profile->profile_name;
        line << "profile " << subject_.profile->number << " ("
             << (name.empty() ? std::string_view("noname") : std::string_view(name)) << "), ";
    }
    if (subject_.instance != nullptr)
        line << "instance " << subject_.instance->name;
    else
        line << subject_.what;
    if (subject_.name != nullptr) line << " '" << subject_.name << "'";
    line << " " << why << ". The process ends with code " << static_cast<unsigned>(code) << ".\n";
    emergency::say(line.text());
    _exit(code);
}

} // namespace nfqws2::lua
