// Theory of operation. A timer of the thread's processor time ticks a few times per budget; an idle
// process gets no ticks and a call costs a few stores, no system call. The handler counts the ticks
// of the running call. Beyond the budget it sets a hook that raises an error at every instruction,
// so that not even pcall lets the call go on. Hooks do not run inside of compiled loops, in native
// functions and in coroutines of PUC Lua: what goes on for a second more ends the process, with a
// message made without the heap, because the interrupted code may hold it. A request to quit works
// the same way with alarm(2), with limits or without. It comes to the main thread: a state that is
// used by another one finds it at its next tick, and looks at the time instead.
//
// Memory: an allocator in front of the engine's own looks at the size of the heap and refuses what
// would pass the ceiling, but only while Lua runs in a protected call; outside of one the error
// would end the process. As long as the heap is small, only large blocks are looked at, since
// hundreds of small ones make up a packet: the first tick of a call and a look every so many calls
// turn to watching all of them.
// Hooks do not run in finalizers, so one that does not end ends the process like compiled loops do.
// LuaJIT does not collect garbage before it gives up, and its heap may be half garbage, so when a
// call leaves the heap near the ceiling, a full collection comes before the next. Half of what that
// leaves free has to be used up before another.
#include "nfqws2/lua/guard.hpp"

#include "nfqws2/base/emergency.hpp"
#include "nfqws2/base/log.hpp"
#include "nfqws2/lua/state.hpp"
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

constexpr std::size_t kilobyte = 1024, megabyte = 1024 * kilobyte;
constexpr int tick_signal = SIGVTALRM;
constexpr int grace_ms = 1000;       // from the error to the end of the process
constexpr unsigned quit_grace_s = 2; // from the request to quit to that end
constexpr int shortest_tick_ms = 10, longest_tick_ms = 20;
constexpr int ticks_per_budget = 4;

lua_Alloc engine_allocator = nullptr; // that the engine came with
constexpr std::size_t large_block = 4096;

void set_handler(int signal, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
}

void interrupt_hook(lua_State* L, lua_Debug*) {
    lua_sethook(L, nullptr, 0, 0);
    luaL_error(L, "INTERRUPT");
}

int ticks_of(int milliseconds, int tick_ms) {
    return (milliseconds + tick_ms - 1) / tick_ms;
}

} // namespace

unsigned default_memory_limit() {
    constexpr unsigned least = 16, most = 256;
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page <= 0) return most;
    const auto quarter = static_cast<std::size_t>(pages) / 4 * static_cast<std::size_t>(page);
    return static_cast<unsigned>(std::clamp<std::size_t>(quarter / megabyte, least, most));
}

constinit thread_local Guard* Guard::active_ = nullptr;

Guard::~Guard() {
    if (has_timer_) timer_delete(timer_);
    if (active_ == this) active_ = nullptr;
}

void Guard::set_limits(const Limits& limits) {
    limits_ = limits;
    if (limits.call_ms == 0) {
        tried_timer_ = !limits.in_thread;
        tick_ms_ = longest_tick_ms;
        limit_ticks_ = fatal_ticks_ = std::numeric_limits<int>::max();
        return;
    }
    const int budget = static_cast<int>(std::min(limits.call_ms, 86'400'000U));
    tried_timer_ = has_timer_;
    tick_ms_ = std::clamp(budget / ticks_per_budget, shortest_tick_ms, longest_tick_ms);
    limit_ticks_ = ticks_of(budget, tick_ms_);
    fatal_ticks_ = limit_ticks_ + ticks_of(grace_ms, tick_ms_);
}

void Guard::attach(lua_State* L) {
    L_ = L;
    active_ = this;
    set_handler(SIGALRM, on_alarm);
    if (limits_.memory_megabytes == 0) return;
    ceiling_ = std::min<std::size_t>(limits_.memory_megabytes,
                                     std::numeric_limits<std::size_t>::max() / megabyte) *
               megabyte;
    relief_at_ = ceiling_ / 2;
    engine_allocator = lua_getallocf(L, &allocator_data_);
    counting_ = true;
    use_allocator(allocate_watched); // init code gets no ticks
}

void Guard::detach() {
    if (counting_) use_allocator(engine_allocator);
    counting_ = near_ceiling_ = false;
    enter({"the end of the program"}, false, true);
    hooked_ = false;
    L_ = nullptr;
}

void Guard::enter_timer(std::string_view name) {
    // The timer may be gone while its callback runs.
    const std::size_t size = std::min(name.size(), timer_name_.size() - 1);
    std::copy_n(name.begin(), size, timer_name_.begin());
    timer_name_[size] = 0;
    enter({"timer", timer_name_.data()}, true, true);
}

// Made at the first call and not before: a timer does not survive the fork of a daemon, and counts
// the time of one thread.
void Guard::start_timer() {
    tried_timer_ = true;
    struct sigaction action {};
    action.sa_sigaction = on_tick;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    sigaction(tick_signal, &action, nullptr);
    sigevent event{};
    event.sigev_value.sival_ptr = this;
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = tick_signal;
    event.sigev_notify_thread_id = static_cast<pid_t>(syscall(SYS_gettid));
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer_) != 0 &&
        timer_create(CLOCK_MONOTONIC, &event, &timer_) != 0) {
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

// A thread may use several states: the tick of one that does not run says nothing. The value tells
// a tick from any other signal; the number of SI_TIMER depends on the processor (MIPS), and
// emulators of programs pass on that of their host.
void Guard::on_tick(int, siginfo_t* info, void*) {
    const int saved_errno = errno;
    if (active_ != nullptr && info->si_value.sival_ptr == active_) active_->tick();
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
    luaL_error(L, "the call takes longer than %d ms (--lua-call-limit)",
               static_cast<int>(active_->limits_.call_ms));
}

void Guard::unhook() {
    hooked_ = false;
    lua_sethook(L_, nullptr, 0, 0);
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
    lua_sethook(L_, interrupt_hook, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
}

void Guard::on_alarm(int) {
    const int saved_errno = errno;
    if (active_ != nullptr && active_->interrupted_) {
        if (active_->running_) active_->end_process("cannot be interrupted");
        alarm(1); // what comes until the end may be stuck as well
    }
    errno = saved_errno;
}

void Guard::end_process(const char* why) const {
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
    line << " " << why << ". The process ends with code " << unsigned{exit_code} << ".\n";
    emergency::say(line.text());
    _exit(exit_code);
}

// Hundreds of blocks per packet come this way, so for most of them it is a jump.
void* Guard::allocate(void* data, void* block, std::size_t old_size, std::size_t size) {
    if (size >= large_block) [[unlikely]]
        return allocate_watched(data, block, old_size, size);
    return engine_allocator(data, block, old_size, size);
}

void* Guard::allocate_watched(void* data, void* block, std::size_t old_size, std::size_t size) {
    const std::size_t before = block != nullptr ? old_size : 0; // else PUC Lua gives a type
    if (active_ != nullptr && size > before && !active_->grant(size - before)) return nullptr;
    return engine_allocator(data, block, old_size, size);
}

bool Guard::grant(std::size_t bytes) {
    if (!counting_) return true;
    const std::size_t total = used();
    near_ceiling_ = near_ceiling_ || total > relief_at_;
    if (!running_ || !limits_memory_ || bytes <= ceiling_ - std::min(total, ceiling_)) return true;
    refused_ = true;
    return false;
}

bool Guard::reserve(std::size_t bytes) {
    if (!grant(bytes)) return false;
    outside_ += bytes;
    return true;
}

std::size_t Guard::used() const {
    if (L_ == nullptr) return 0;
    // PUC Lua gives -1 while it collects.
    return static_cast<std::size_t>(std::max(lua_gc(L_, LUA_GCCOUNT, 0), 0)) * kilobyte + outside_;
}

bool Guard::take_refused() {
    const bool was = refused_;
    refused_ = false;
    return was;
}

void Guard::look() {
    entries_left_ = entries_between_looks;
    if (!counting_) return;
    if (near_ceiling_ || used() > relief_at_) relieve();
    const bool large = used() > ceiling_ / 4;
    use_allocator(large || !has_timer_ ? allocate_watched : allocate);
}

// The data of the engine's allocator stay, so this is one store: a signal handler may do it.
void Guard::use_allocator(lua_Alloc function) {
    lua_setallocf(L_, function, allocator_data_);
}

void Guard::step_to_the_end_of_a_cycle(lua_State* L) {
    do
        restart();
    while (lua_gc(L, LUA_GCSTEP, 0) == 0);
}

void Guard::collect() {
    near_ceiling_ = false; // or the entry would begin with a collection of its own
    entries_left_ = entries_between_looks;
    enter({"garbage collection"}, false, true);
    // A finalizer may raise an error. The cycle that runs may have passed what is garbage now.
    lua_pushcfunction(L_, [](lua_State* L) {
        active_->step_to_the_end_of_a_cycle(L);
        active_->step_to_the_end_of_a_cycle(L);
        return 0;
    });
    if (lua_pcall(L_, 0, 0, 0) != 0) log_lua_error(L_, "garbage collection");
    leave();
}

void Guard::relieve() {
    collect();
    const std::size_t total = used();
    relief_at_ = total + (ceiling_ - std::min(total, ceiling_)) / 2;
    near_ceiling_ = false;
    if (log::debug_enabled())
        log::debug("LUA: %zu of %zu MB in use after a collection near the memory limit",
                   total / megabyte, ceiling_ / megabyte);
}

} // namespace nfqws2::lua
