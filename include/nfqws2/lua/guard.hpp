// Keeps a runaway script from holding the network: a budget of processor time for each call, a
// bound for its waiting, a ceiling for the memory of the Lua state, and the end of the process
// where a call cannot be ended from within. One per Lua state; a state may be made in one thread
// and then used in another. How time is watched is told in guard.cpp, waiting in waiting.cpp,
// memory in memory.cpp.
#pragma once

#include "nfqws2/base/file.hpp"
#include "nfqws2/lua/compiler.hpp"
#include "nfqws2/lua/lua.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace nfqws2::profile {
struct LuaInstance;
struct Profile;
} // namespace nfqws2::profile

namespace nfqws2::lua {

class SmallBlocks;

struct Limits {
    unsigned call_ms = 0;          // processor time of one call; 0 = no limit
    unsigned memory_megabytes = 0; // of the Lua state; 0 = no limit
    unsigned wait_ms = 0;          // of waiting in one call; 0 = no limit
    bool in_thread = false;        // calls may come from another thread than interrupt()
};

// A quarter of the machine's memory, between 16 and 256 MB.
unsigned default_memory_limit();

class Guard {
  public:
    // Of a process whose script could not be ended, and of one that lacks memory.
    static constexpr int exit_code = 101, memory_exit_code = 102;

    explicit Guard(const Limits& limits);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

    // From now on the state's memory is counted. detach() must come before lua_close(), which is
    // watched like everything else.
    void attach(lua_State* L);
    void detach();
    // The calling thread uses the state from now on.
    void adopt();

    // Lua is about to run. `what` is a literal.
    void enter_init(const char* what) { enter({what}, true, false); }
    void enter_profile(const profile::Profile& profile) {
        enter({"the table of a packet", nullptr, &profile, nullptr}, true, true);
    }
    void enter_timer(std::string_view name) { enter_named("timer", name); }
    void enter_code(std::string_view name) { enter_named("code", name); }
    // Within a packet's run: this instance's call begins, with a budget of its own.
    void next_call(const profile::LuaInstance& instance) {
        subject_.instance = &instance;
        restart();
    }
    void leave() {
        running_ = false;
        if (hooked_) unhook();
    }

    // A program of its own: no limit but that of waiting.
    void enter_script() { enter({"--lua-run"}, true, false); }
    // Something attached to the loop is served.
    void enter_attached() { enter({attached_call}, true, true); }

    // Between these two the call waits for events with everybody's consent.
    void suspend() { running_ = 0; }
    void resume() {
        calls_ = calls_ + 1;
        running_ = 1;
        if (!watches_waiting_ && limits_.wait_ms != 0) watch_waiting();
    }
    // Within a call: another one begins, with a budget of its own. What was before goes on behind.
    struct Before;
    Before begin_inner();
    void end_inner(const Before& before);
    bool interrupted() const { return interrupted_; }

    // Told between calls when garbage is not what fills the memory: what can be done without is to
    // be given up. It may run Lua code as enter_shortage().
    void on_shortage(std::function<void()> shed) { shed_ = std::move(shed); }
    void enter_shortage() { enter({"a function for short memory"}, true, true); }

    // Collects all garbage. Finalizers are calls like others: each small step has a budget.
    void collect();

    // A request to quit came: running Lua code is ended with the error INTERRUPT or, if it cannot
    // be, with the process. Async-signal-safe; from any thread.
    void interrupt();
    // It was os.exit(`code`). Of a program without packets that is no error, and nobody is told.
    void say_who_interrupts(int code, bool quietly) {
        asked_exit_ = code;
        quiet_ = quietly;
    }
    bool ends_quietly() const { return asked_exit_ && quiet_; }

    // For std::set_new_handler: the call that runs ends with the process, anything else by
    // std::bad_alloc.
    static void out_of_memory();

    // True once after memory was refused.
    bool take_refused();
    // Memory that objects of the state hold outside of it. False: the ceiling is reached.
    bool reserve(std::size_t bytes);
    // The same for a block of the state that a native function is about to take.
    bool has_room(std::size_t bytes);
    void release(std::size_t bytes) { outside_ -= bytes; }

    const Limits& limits() const { return limits_; }
    std::size_t used() const;
    std::size_t ceiling() const { return ceiling_; }
    // The collector's pause while memory is not short.
    void set_pause(int pause);
    Compiler& compiler() { return compiler_; }
    static Guard* current() { return active_; } // that of the last call in this thread

  private:
    static constexpr unsigned entries_between_looks = 64;

    struct Subject {
        const char* what;
        const char* name = nullptr; // of a timer
        const profile::Profile* profile = nullptr;
        const profile::LuaInstance* instance = nullptr;
    };

    static void catch_ticks(bool restart);
    static void on_tick(int, siginfo_t* info, void*);
    static void on_alarm(int);
    static void limit_hook(lua_State* L, lua_Debug*);
    static void interrupt_hook(lua_State* L, lua_Debug*);
    static void shut_hook(lua_State*, lua_Debug*);
    bool grant(std::size_t bytes);
    bool refuse();
    static void end_if_compiled();
    void ask_to_shut();
    static void* allocate_small(void* data, void* block, std::size_t old_size, std::size_t size);
    static void* allocate_any(void* data, void* block, std::size_t old_size, std::size_t size);
    static void* allocate(void* data, void* block, std::size_t old_size, std::size_t size);
    static void* allocate_watched(void* data, void* block, std::size_t old_size, std::size_t size);

    // A collection comes now and not in leave(): finalizers may overwrite the result of the call.
    void enter_named(const char* what, std::string_view name);
    void enter(const Subject& subject, bool memory, bool time) {
        active_ = this;
        if (near_ceiling_ || --entries_left_ == 0) look();
        subject_ = subject;
        limits_memory_ = memory;
        limits_time_ = time;
        restart();
        running_ = true;
        if (time && !tried_timer_) start_timer();
        if (!watches_waiting_ && limits_.wait_ms != 0) watch_waiting();
    }
    // The handler runs on this thread, so order is all that has to be kept.
    void restart() {
        ticks_ = 0;
        calls_ = calls_ + 1;
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (hooked_) unhook();
    }
    void attach_memory();
    void detach_memory();
    void start_timer();
    void tick();
    // A timer of this thread; its signal hands over `value`.
    bool make_timer(clockid_t clock, void* value, timer_t* timer);
    void watch_waiting();
    void tick_of_waiting();
    void stop_waiting();
    void drop_wait_timer();
    void tick_of_interrupt();
    void hook_for_interrupt();
    void unhook();
    void step_to_the_end_of_a_cycle(lua_State* L);
    // Chooses the allocator by the size of the heap; makes room if it is near the ceiling.
    void look();
    void relieve();
    bool may_collect() const;
    void make_room(std::size_t total);
    void set_collector(std::size_t total);
    void take_collector();
    void ease(); // everything as usual again
    std::size_t part(unsigned per_cent) const { return ceiling_ / 100 * per_cent; }
    void use_allocator(lua_Alloc function);
    [[noreturn]] void end_without_memory() const;
    [[noreturn]] void end_process(const char* why, int code = exit_code) const;

    static constexpr const char* attached_call = "a callback of a module";
    static constinit thread_local Guard* active_;

    Limits limits_;
    lua_State* L_ = nullptr;

    Subject subject_{};
    std::array<char, 64> name_{}; // of a timer or code
    volatile std::sig_atomic_t running_ = 0, limits_time_ = 0, hooked_ = 0, ticks_ = 0;
    std::atomic<bool> interrupted_{false};
    std::optional<int> asked_exit_;
    bool quiet_ = false;
    timespec interrupt_seen_{}; // when it was, by a tick
    int limit_ticks_ = 0, fatal_ticks_ = 0, tick_ms_ = 0;
    bool tried_timer_ = false, has_timer_ = false;
    timer_t timer_{};

    struct Waiting {
        timer_t timer{};
        bool has_timer = false;
        FileDescriptor schedule; // what the kernel tells of the thread's turns
        unsigned call = 0;       // seen at the last tick
        // Of that tick: time, time with a processor, time in the queue for one.
        std::int64_t at_ns = 0, processor_ns = 0, queued_ns = 0;
        std::int64_t light_ns = 0, deep_ns = 0; // waited since the call began
        bool stopped = false;                   // the call was interrupted
        std::int64_t since_stop_ns = 0;         // waited after that
    } waiting_;
    volatile std::sig_atomic_t watches_waiting_ = 0;
    volatile unsigned calls_ = 0; // begun

    bool counting_ = false, limits_memory_ = false, refused_ = false, near_ceiling_ = false;
    bool relieving_ = false, has_shed_ = false, asked_to_shut_ = false;
    bool spilt_ = false; // memory was refused since the last full collection
    unsigned entries_left_ = entries_between_looks;
    std::size_t outside_ = 0, ceiling_ = 0, most_ = 0, relief_at_ = 0;
    std::size_t live_ = 0;                                       // after the last full collection
    std::int64_t next_collection_ms_ = 0, next_shedding_ms_ = 0; // not before
    std::function<void()> shed_;
    Compiler compiler_;
    bool pressed_ = false;
    int own_pause_ = 0, own_speed_ = 0; // of the collector, while it is pressed
    std::unique_ptr<SmallBlocks> blocks_;
};

struct Guard::Before {
    Subject subject;
    int limits_time, ticks;
};

// Leaves when the scope ends.
class GuardScope {
  public:
    explicit GuardScope(Guard& guard) : guard_(guard) {}
    ~GuardScope() { guard_.leave(); }
    GuardScope(const GuardScope&) = delete;
    GuardScope& operator=(const GuardScope&) = delete;

  private:
    Guard& guard_;
};

} // namespace nfqws2::lua
