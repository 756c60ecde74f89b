// Keeps a runaway script from holding the network: a budget of processor time for each call, a
// ceiling for the memory of the Lua state, and the end of the process where a call cannot be ended
// from within. One per Lua state; a state may be made in one thread and then used in another.
#pragma once

#include "nfqws2/lua/lua.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <ctime>
#include <string_view>

namespace nfqws2::profile {
struct LuaInstance;
struct Profile;
} // namespace nfqws2::profile

namespace nfqws2::lua {

struct Limits {
    unsigned call_ms = 0;          // processor time of one call; 0 = no limit
    unsigned memory_megabytes = 0; // of the Lua state; 0 = no limit
    bool in_thread = false;        // calls may come from another thread than interrupt()
};

// A quarter of the machine's memory, between 16 and 256 MB.
unsigned default_memory_limit();

class Guard {
  public:
    // Of a process whose script could not be ended.
    static constexpr int exit_code = 101;

    Guard() = default;
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

    // Before attach().
    void set_limits(const Limits& limits);
    // From now on the state's memory is counted. detach() must come before lua_close(), which is
    // watched like everything else.
    void attach(lua_State* L);
    void detach();
    // The calling thread uses the state from now on.
    void adopt() { active_ = this; }

    // Lua is about to run. `what` is a literal.
    void enter_init(const char* what) { enter({what}, true, false); }
    void enter_profile(const profile::Profile& profile) {
        enter({"the table of a packet", nullptr, &profile, nullptr}, true, true);
    }
    void enter_timer(std::string_view name);
    // Within a packet's run: this instance's call begins, with a budget of its own.
    void next_call(const profile::LuaInstance& instance) {
        subject_.instance = &instance;
        restart();
    }
    void leave() {
        running_ = false;
        if (hooked_) unhook();
    }

    // Collects all garbage. Finalizers are calls like others: each small step has a budget.
    void collect();

    // A request to quit came: running Lua code is ended with the error INTERRUPT or, if it cannot
    // be, with the process. Async-signal-safe; from any thread.
    void interrupt();

    // True once after memory was refused.
    bool take_refused();
    // Memory that objects of the state hold outside of it. False: the ceiling is reached.
    bool reserve(std::size_t bytes);
    void release(std::size_t bytes) { outside_ -= bytes; }

    const Limits& limits() const { return limits_; }
    std::size_t used() const;
    static Guard* current() { return active_; } // that of the last call in this thread

  private:
    static constexpr unsigned entries_between_looks = 64;

    struct Subject {
        const char* what;
        const char* name = nullptr; // of a timer
        const profile::Profile* profile = nullptr;
        const profile::LuaInstance* instance = nullptr;
    };

    static void on_tick(int, siginfo_t* info, void*);
    static void on_alarm(int);
    static void limit_hook(lua_State* L, lua_Debug*);
    bool grant(std::size_t bytes);
    static void* allocate(void* data, void* block, std::size_t old_size, std::size_t size);
    static void* allocate_watched(void* data, void* block, std::size_t old_size, std::size_t size);

    // A collection comes now and not in leave(): finalizers may overwrite the result of the call.
    void enter(const Subject& subject, bool memory, bool time) {
        active_ = this;
        if (near_ceiling_ || --entries_left_ == 0) look();
        subject_ = subject;
        limits_memory_ = memory;
        limits_time_ = time;
        restart();
        running_ = true;
        if (time && !tried_timer_) start_timer();
    }
    // The handler runs on this thread, so order is all that has to be kept.
    void restart() {
        ticks_ = 0;
        std::atomic_signal_fence(std::memory_order_seq_cst);
        if (hooked_) unhook();
    }
    void start_timer();
    void tick();
    void tick_of_interrupt();
    void hook_for_interrupt();
    void unhook();
    void step_to_the_end_of_a_cycle(lua_State* L);
    // Chooses the allocator by the size of the heap; collects garbage if it is near the ceiling.
    void look();
    void relieve();
    void use_allocator(lua_Alloc function);
    [[noreturn]] void end_process(const char* why) const;

    static constinit thread_local Guard* active_;

    Limits limits_;
    lua_State* L_ = nullptr;

    Subject subject_{};
    std::array<char, 64> timer_name_{};
    volatile std::sig_atomic_t running_ = 0, limits_time_ = 0, hooked_ = 0, ticks_ = 0;
    std::atomic<bool> interrupted_{false};
    timespec interrupt_seen_{}; // when it was, by a tick
    int limit_ticks_ = 0, fatal_ticks_ = 0, tick_ms_ = 0;
    bool tried_timer_ = false, has_timer_ = false;
    timer_t timer_{};

    bool counting_ = false, limits_memory_ = false, refused_ = false, near_ceiling_ = false;
    unsigned entries_left_ = entries_between_looks;
    std::size_t outside_ = 0, ceiling_ = 0, relief_at_ = 0;
    void* allocator_data_ = nullptr;
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
